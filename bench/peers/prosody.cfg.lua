-- The yardstick of bench/direct-messages.ts: an XMPP server that keeps every message in an archive (MAM),
-- in SQLite, and acknowledges it to the sender (stream management, XEP-0198) once it is there.
-- prosody.ts gives BENCH_DATA (an empty folder with a database in WAL mode) and BENCH_PORT.

data_path = ENV_BENCH_DATA
plugin_paths = { ENV_BENCH_PLUGINS }
run_as_root = ENV_BENCH_ROOT == "yes"
daemonize = false
log = { info = "*console" }

interfaces = { "127.0.0.1" }
c2s_ports = { tonumber(ENV_BENCH_PORT) }
s2s_ports = {}
http_ports = {}
https_ports = {}

modules_enabled = { "saslauth", "roster", "disco", "smacks", "mam", "read_back" }
modules_disabled = { "s2s", "tls" }

-- The clients of the benchmark are on the same machine and are nobody.
authentication = "insecure"
insecure_open_authentication = "Yes please, I know what I'm doing!"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true

storage = "sql"
sql = { driver = "SQLite3", database = "prosody.sqlite" }
default_archive_policy = true
archive_expires_after = "never"

VirtualHost "bench.local"
