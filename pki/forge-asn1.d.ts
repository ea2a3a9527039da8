/** The ASN.1 codec alone: loading all of node-forge takes ten times as long. */
declare module 'node-forge/lib/asn1.js' {
  import type { asn1 } from 'node-forge';

  const codec: typeof asn1;
  export default codec;
}
