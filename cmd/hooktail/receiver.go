package main

import (
	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/internal/receiver"
)

func (a *app) receiverCommand() *cobra.Command {
	var addr string
	printer := receiver.Printer{Out: a.stdout}
	cmd := &cobra.Command{
		Use:   "receiver",
		Short: "Receive webhooks and print them, for trying things out",
		Long: "receiver accepts requests on any path and prints one line for each: time, sender, path, action,\n" +
			"object, time since the commit, and webhook-id. It answers 200 to a webhook and 400 to anything else.\n" +
			"It stores nothing, and needs neither a database nor variables.",
		RunE: func(cmd *cobra.Command, _ []string) error { return printer.Run(cmd.Context(), addr) },
	}
	cmd.Flags().Var(addrInto(&addr, "127.0.0.1:8000"), "addr", "listen on this `address`")
	cmd.Flags().BoolVar(&printer.Bodies, "bodies", false, "also print headers and bodies, including credentials")
	cmd.Flags().BoolVar(&printer.JSON, "json", false, "print one JSON object per line")
	return cmd
}
