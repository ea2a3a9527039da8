-- The yardstick of bench/direct-messages.ts and bench/rooms.ts: an XMPP server that keeps every message in an archive (MAM),
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

if ENV_BENCH_TLS_PORT then
	c2s_direct_tls_ports = { tonumber(ENV_BENCH_TLS_PORT) }
	c2s_direct_tls_ssl = { key = ENV_BENCH_KEY, certificate = ENV_BENCH_CHAIN }
	ssl = c2s_direct_tls_ssl
end

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

-- A persistent room, every message of it in the archive, for bench/rooms.ts.
Component "conference.bench.local" "muc"
	modules_enabled = { "muc_mam" }
	muc_room_locking = false
	muc_room_default_persistent = true
	muc_log_by_default = true
	max_history_messages = 0
