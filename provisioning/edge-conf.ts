/**
 * The Caddyfile: TLS for clients in front, mTLS to gateway and media behind, everything else 404.
 * docs/decisions/033-edge.md
 *
 * No TCP admin endpoint, no autosaved configuration, no HTTP/3 (no UDP listener), no plain-HTTP
 * listener. Requests are never logged: an address on the sealed send path would name the sender.
 */
import { isIP } from 'node:net';
import { type Island, isLocal } from './island-file.ts';

export interface Upstream {
  /** On loopback. */
  port: number;
  /** What its certificate must say. */
  name: string;
}

export interface EdgeConf {
  island: Pick<Island, 'host' | 'port'>;
  gateway: Upstream;
  /** Attachments, and nothing else, go there. */
  media: Upstream;
  /** This and the files below: from Caddy's working folder, in letters that a Caddyfile takes as they are. */
  adminSocket: string;
  /** Chain and key shown to clients, in one PEM file. */
  publicCertificate: string;
  /** Chain and key of `edge.island.internal`, in one PEM file. */
  clientCertificate: string;
  /** The roots that they are checked against. */
  trust: string;
  /** Largest request body, bytes, and that of a part of an attachment: what is larger ends here. */
  bodyBytes: number;
  blobBytes: number;
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
	@blobs path /v1/blobs /v1/blobs/*
	handle @blobs {
		${proxy(conf, conf.media, conf.blobBytes)}
	}
	@api path /v1/* /.well-known/island /log/* /witness/*
	handle @api {
		${proxy(conf, conf.gateway, conf.bodyBytes)}
	}
	handle {
		respond 404
	}
}
`;
}

/** Bodies pass as they come, in both directions; nothing of them is held back or compressed. */
const proxy = (
  conf: EdgeConf,
  { port, name }: Upstream,
  bodyBytes: number,
): string => `request_body {
			max_size ${bodyBytes}
		}
		reverse_proxy https://127.0.0.1:${port} {
			header_up X-Real-IP {remote_host}
			stream_close_delay 10m
			lb_try_duration 3s
			lb_try_interval 100ms
			transport http {
				tls_server_name ${name}
				tls_trust_pool file ${conf.trust}
				tls_client_auth ${conf.clientCertificate} ${conf.clientCertificate}
				versions 1.1
				dial_timeout 2s
				# Shorter than they keep an idle connection: none must close one that we are about to use.
				keepalive 60s
				# As many as are busy at once: one that is opened anew costs both sides more than a message does.
				keepalive_idle_conns_per_host 256
				compression off
			}
		}`;
