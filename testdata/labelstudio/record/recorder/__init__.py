"""Records what a real Label Studio writes to its database and sends to its webhooks.

The modules in the order of the path:

postgres     a throwaway PostgreSQL server
labelstudio  a Label Studio on it, and its REST API
receiver     the HTTP receiver of the webhooks
base         users, projects, tasks and hooks before the first scenario
scenario     what a scenario is, and how its calls are made
scenarios    the scenarios themselves, in the order in which they run
statements   the log of statements -> changes.sql
wal          the replication slots -> wal.txt and wal.pgoutput.hex
dumps        schema.sql and base.sql
replay       the check: the recorded changes, played into a fresh database
upgrade      an upgrade on a database with rows (upgrade.py)
endings      calls at the same time, under load and with an overlap (endings.py)
sequence     the transactions of a call, by which its end is told
shape        the comparison with an earlier recording
payload      the comparison of two request bodies (live.py)
match        which request of hooktail answers which request of Label Studio (live.py)
load         users who annotate at the same time beside hooktail (load.py)
"""
