/**
 * Why a message, an archive or an offer can't be opened, as a closed set of codes. docs/protocol/ratchet.md §9,
 * archive.md §4, linking.md §6
 * Bytes that are not in form throw the `Fault` of protocol/wire; these are about keys and sessions.
 * No fault changes the state of a session.
 */

export const cryptoFaults = {
  duplicate: 'This message was opened before. Nothing is lost.',
  too_old: 'The key of this message was given up after its time. Ask for it to be sent again.',
  too_far_ahead:
    'More messages are missing before this one than a session waits for. Start a new session.',
  undecryptable:
    'The message is damaged or was made for another state of the session. Start a new session.',
  unsealable:
    'The envelope was not sealed for this device, or was damaged on the way. Nothing can be said about its sender.',
  no_session: 'The session of this message is not known on this device. Start a new session.',
  prekey_gone:
    'The message was made with a prekey that this device no longer has. Start a new session.',
  replayed: 'This first message was seen before; somebody sent it again. Nothing is lost.',
  stale_generation:
    'The message comes from an older copy of the device. Check the device of the sender.',
  pq_required:
    'The message lacks the post-quantum part that this protocol demands. Update the client.',
  wrong_identity:
    'The keys of the other device are not those this session was made with. Check its device list.',
  receive_only: 'There is no session to send with. Fetch the prekeys of the device and start one.',
  archive_broken:
    'The archive does not follow from what this device knows of it, or was changed. Nothing was taken from that part; ask whoever runs the island.',
  token_unproved:
    'The island did not prove that it signs the tokens of everybody with the same key. None was taken; ask whoever runs it.',
  certificate_invalid:
    'The certificate of the sender was not made by this island, or not for this. The message is not shown.',
  certificate_expired: 'The certificate of the sender was too old. The message is not shown.',
  attachment_broken:
    'The attachment was changed or cut off on its way, or is not the one that was sent. Ask for it to be sent again.',
  no_chain: 'The keys of this post are not on this device. Ask the device that wrote it for them.',
  before_chain:
    'This post is from before the keys that this device was given. Somebody who may share the history can.',
  chain_taken:
    'The keys of a channel were sent under a name that other keys have. They were not taken.',
  chain_ended: 'This chain has done its work. Begin another one and give its keys to the readers.',
  feed_broken:
    'The order of the posts does not follow from what this device has seen. Nothing was taken; ask whoever runs the island.',
  link_broken:
    'The other device did not keep to the protocol, or somebody stands between the two. Nothing was given; make a new offer.',
} as const;

export type CryptoFaultCode = keyof typeof cryptoFaults;

export class CryptoFault extends Error {
  override name = 'CryptoFault';
  readonly code: CryptoFaultCode;

  constructor(code: CryptoFaultCode) {
    super(cryptoFaults[code]);
    this.code = code;
  }
}
