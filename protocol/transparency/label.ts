/**
 * What the map of a directory is asked about: an account, or a name. docs/protocol/transparency.md §3.1
 *
 *     label = u8 1 ‖ account 16          its state is the account's device list
 *           | u8 2 ‖ name, ASCII         its state is the account that has the name
 *
 * A label is what the VRF is evaluated at (`alpha`), and the first 32 bytes of its output are the `index`: the
 * place in the map, which says nothing about the label to who does not have a proof.
 */
import { concat, utf8Bytes } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, accountId, personName } from '../wire/ids.ts';
import { fromHex, hex } from '../wire/text.ts';

export const labelKinds = { account: 1, name: 2 } as const;
export type LabelKind = (typeof labelKinds)[keyof typeof labelKinds];

export type Labelled =
  | { kind: typeof labelKinds.account; account: AccountId }
  | { kind: typeof labelKinds.name; name: string };

/** 17 bytes. */
export const accountLabel = (account: AccountId): Uint8Array =>
  concat(Uint8Array.of(labelKinds.account), fromHex(account));

/** 2 to 33 bytes. Throws `name_invalid`. */
export const nameLabel = (name: string): Uint8Array =>
  concat(Uint8Array.of(labelKinds.name), utf8Bytes(personName(name)));

/** Throws `malformed` for what `accountLabel` and `nameLabel` never give, `name_invalid` for a name. */
export function readLabel(label: Uint8Array): Labelled {
  const rest = label.subarray(1);
  if (label[0] === labelKinds.account) {
    return { kind: labelKinds.account, account: accountId(hex(rest)) };
  }
  if (label[0] !== labelKinds.name) throw new Fault('malformed');
  return { kind: labelKinds.name, name: personName(String.fromCharCode(...rest.subarray(0, 64))) };
}

/** The place in the map, of the output of the VRF, 64 bytes. */
export const labelIndex = (output: Uint8Array): Uint8Array => output.subarray(0, 32);
