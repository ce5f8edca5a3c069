package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// examples returns the command lines shown in the help, by command path without the
// program's name.
func examples() map[string][]string {
	return map[string][]string{
		"":                      {"hooktail demo", "hooktail setup", "hooktail run"},
		"run":                   {"hooktail run", "HOOKTAIL_LOG_LEVEL=debug hooktail run", "hooktail run --setup"},
		"setup":                 {"hooktail setup --print", "hooktail setup", "hooktail setup --identity default"},
		"teardown":              {"hooktail teardown", "hooktail teardown --release --yes"},
		"doctor":                {"hooktail doctor", "hooktail doctor --json"},
		"tail":                  {"hooktail tail", "hooktail tail | jq -r .action", "hooktail tail --format cloudevents"},
		"status":                {"hooktail status", "hooktail status --json"},
		"hooks":                 {"hooktail hooks list", "hooktail hooks ping 3", "hooktail hooks adopt --all"},
		"hooks list":            {"hooktail hooks list", "hooktail hooks list --json"},
		"hooks show":            {"hooktail hooks show 3", "hooktail hooks show 3 --json"},
		"hooks ping":            {"hooktail hooks ping 3", "hooktail hooks ping 3 --json"},
		"hooks pause":           {"hooktail hooks pause 3", "hooktail hooks pause 3 5 7"},
		"hooks resume":          {"hooktail hooks resume 3"},
		"hooks retry":           {"hooktail hooks retry 3"},
		"hooks set":             {"hooktail hooks set 3 --events +TASK_COMPLETED,-TASK_CREATED", "hooktail hooks set 3 --filter 'annotation.completed_by != 5' --rate 10/s", "hooktail hooks set 3 --filter none --format cloudevents"},
		"hooks test":            {"hooktail hooks test 3 --filter 'annotation.result.size() > 0' --since 24h", "hooktail hooks test 3 --json"},
		"hooks adopt":           {"hooktail hooks adopt 3", "hooktail hooks adopt --all"},
		"hooks release":         {"hooktail hooks release 3", "hooktail hooks release --all"},
		"hooks secret":          {"hooktail hooks secret set 3", "hooktail hooks secret rotate 3"},
		"hooks secret set":      {"hooktail hooks secret set 3 > hook-3.secret"},
		"hooks secret rotate":   {"hooktail hooks secret rotate 3 > hook-3.secret"},
		"hooks secret remove":   {"hooktail hooks secret remove 3"},
		"deliveries":            {"hooktail deliveries list", "hooktail deliveries redrive --hook 3"},
		"deliveries list":       {"hooktail deliveries list", "hooktail deliveries list --hook 3 --state dead", "hooktail deliveries list --since 48h --limit 0 --json"},
		"deliveries show":       {"hooktail deliveries show 1-1A38B18-0", "hooktail deliveries show 1-1A38B18-0 --hook 3 --payload"},
		"deliveries redrive":    {"hooktail deliveries redrive 1-1A38B18-0", "hooktail deliveries redrive --hook 3 --since 48h --dry-run", "hooktail deliveries redrive --all"},
		"deliveries discard":    {"hooktail deliveries discard 1-1A38B18-0", "hooktail deliveries discard --hook 3 --state parked --dry-run"},
		"backfill":              {"hooktail backfill --hook 3 --project 1 --action ANNOTATION_CREATED --since 48h", "hooktail backfill --hook 3 --project 1 --action TASK_CREATED --dry-run"},
		"replay":                {"hooktail replay --hook 3 --since 48h", "hooktail replay --hook 3 --since 48h --project 1 --dry-run"},
		"repair":                {"hooktail repair --dry-run", "hooktail repair --resend", "hooktail repair --forget-parked"},
		"demo":                  {"hooktail demo", "hooktail demo --once", "hooktail demo --receiver http://127.0.0.1:9000/hook"},
		"version":               {"hooktail version", "hooktail version --json"},
		"receiver":              {"hooktail receiver", "hooktail receiver --addr 127.0.0.1:9000 --bodies"},
		"healthcheck":           {"hooktail healthcheck", "hooktail healthcheck --url http://127.0.0.1:8484/readyz"},
		"man":                   {"hooktail man /usr/local/share/man/man1"},
		"help":                  {"hooktail help environment", "hooktail help hooks list"},
		"completion":            {"hooktail completion bash"},
		"completion bash":       {"source <(hooktail completion bash)", "hooktail completion bash > /etc/bash_completion.d/hooktail"},
		"completion zsh":        {"source <(hooktail completion zsh)", "hooktail completion zsh > \"${fpath[1]}/_hooktail\""},
		"completion fish":       {"hooktail completion fish > ~/.config/fish/completions/hooktail.fish"},
		"completion powershell": {"hooktail completion powershell | Out-String | Invoke-Expression"},
	}
}

// exampleOf returns the command's examples as cobra prints them, or "".
func exampleOf(cmd *cobra.Command) string {
	_, path, _ := strings.Cut(cmd.CommandPath(), " ")
	lines := examples()[path]
	if len(lines) == 0 {
		return ""
	}
	return "  " + strings.Join(lines, "\n  ")
}
