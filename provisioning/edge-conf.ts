/**
 * The Caddyfile: TLS for clients in front, mTLS to the gateway behind, everything else 404.
 * docs/decisions/033-edge.md
 *
 * No TCP admin endpoint, no autosaved configuration, no HTTP/3 (no UDP listener), no plain-HTTP
 * listener. Requests are never logged: an address on the sealed send path would name the sender.
 */
import { isIP } from 'node:net';
import { type Island, isLocal } from './island-file.ts';

export interface EdgeConf {
  island: Pick<Island, 'host' | 'port'>;
  gatewayPort: number;
  /** What the gateway's certificate must say. */
  gatewayName: string;
  /** This and the files below: from Caddy's working folder, in letters that a Caddyfile takes as they are. */
  adminSocket: string;
  /** Chain and key shown to clients, in one PEM file. */
  publicCertificate: string;
  /** Chain and key of `edge.island.internal`, in one PEM file. */
  clientCertificate: string;
  /** The roots that the gateway is checked against. */
  trust: string;
  /** Largest request body, bytes. */
  bodyBytes: number;
}

export function edgeConf(conf: EdgeConf): string {
  const { island } = conf;
  const bind = isLocal(island) ? 'default_bind 127.0.0.1' : '';
  // A browser would apply HSTS to every port of localhost, and it has no meaning for an address.
  const hsts =
    isLocal(island) || isIP(island.host) !== 0
      ? ''
      : 'Strict-Transport-Security "max-age=31536000"';
  return `{
	admin unix/${conf.adminSocket}|0600 {
		origins localhost
	}
	persist_config off
	auto_https off
	${bind}
	default_sni ${island.host}
	fallback_sni ${island.host}
	grace_period 3s
	servers {
		protocols h1 h2
		max_header_size 16KB
		timeouts {
			read_header 5s
			read_body 30s
			write 60s
			idle 2m
		}
	}
	log default {
		output stderr
		level WARN
		format filter {
			wrap json
			fields {
				request delete
				remote_ip delete
				upstream delete
			}
		}
		exclude http.log.access http.log.error http.handlers.reverse_proxy
	}
}

https://:${island.port} {
	tls ${conf.publicCertificate} ${conf.publicCertificate} {
		protocols tls1.2 tls1.3
	}
	header {
		${hsts}
		X-Content-Type-Options nosniff
		Referrer-Policy no-referrer
		Content-Security-Policy "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
		Permissions-Policy "camera=(), geolocation=(), microphone=()"
		Cross-Origin-Opener-Policy same-origin
		Cross-Origin-Resource-Policy same-origin
		-Server
		-Via
	}
	# No parser behind ever sees a method that nobody has heard of, nor a tunnel.
	@odd not method GET HEAD POST OPTIONS PUT PATCH DELETE
	handle @odd {
		respond 405
	}
	@api path /v1/* /.well-known/island
	handle @api {
		request_body {
			max_size ${conf.bodyBytes}
		}
		reverse_proxy https://127.0.0.1:${conf.gatewayPort} {
			header_up X-Real-IP {remote_host}
			stream_close_delay 10m
			lb_try_duration 3s
			lb_try_interval 100ms
			transport http {
				tls_server_name ${conf.gatewayName}
				tls_trust_pool file ${conf.trust}
				tls_client_auth ${conf.clientCertificate} ${conf.clientCertificate}
				versions 1.1
				dial_timeout 2s
				# Shorter than the gateway keeps an idle connection: it must not close one that we are about to use.
				keepalive 60s
				compression off
			}
		}
	}
	handle {
		respond 404
	}
}
`;
}
