/** PEM around DER: base64 in lines of 64 (RFC 7468). */
export function pem(label: 'CERTIFICATE' | 'X509 CRL', bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
