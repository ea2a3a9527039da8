/** Every limit of the protocol, in one place; also published in the discovery document. docs/protocol/limits.md */

export const limits = {
  /** T6: one WebSocket message, bytes. */
  frameBytes: 16_384,
  /** T6: WebSocket messages a connection may send within any one second. */
  framesPerSecond: 30,
  /** Refused frames within ten seconds after which the socket is closed with 4429. */
  refusedFrames: 10,
  /** One HTTP JSON body, bytes. Registration carries a batch of one-time prekeys: 100 × 1,224 bytes, base64url. */
  jsonBytes: 262_144,
  /** One `POST /v1/send` body, bytes: the largest envelope for every device that an account may have. */
  sendBytes: 262_144,
  /** Envelopes (devices) in one `POST /v1/send`. */
  sendEnvelopes: 32,
  /** Tokens of each class that an account may get for one day, and in one request. */
  deliveryTokensPerDay: 4_096,
  mediaTokensPerDay: 256,
  tokensPerBatch: 128,
  /** Envelopes that one token pays for; with no delivery key it costs `requestPrice` times as much. `sendTokens`: in one send, at most. */
  envelopesPerToken: 8,
  requestPrice: 4,
  sendTokens: 16,
  /** Envelopes in one mailbox that came without the recipient's delivery key. */
  mailboxRequests: 200,
  /** Days that a delivery key is good after the next one, unless it was cut off. */
  deliveryKeyDays: 7,
  /** Life of a sender certificate, seconds; of the key that signs it, days, and days until the next one. */
  senderCertificateSeconds: 86_400,
  senderKeyDays: 30,
  senderKeyRotationDays: 14,
  /** One attachment as it is stored, bytes, and the part of it that one token pays for; one `PUT` of a part. */
  blobBytes: 1_073_741_824,
  blobBytesPerToken: 8_388_608,
  blobChunkBytes: 33_554_432,
  /** Requests about attachments a second, and burst, from one address. */
  blobRequestsPerSecond: 300,
  blobRequestsBurst: 600,
  /** Days that an attachment is kept, and one that is not complete. */
  blobDays: 90,
  uploadDays: 1,
  /** Inside a message: the name of an attachment, its type and its preview, bytes. */
  fileNameBytes: 255,
  mimeBytes: 127,
  thumbnailBytes: 3_072,
  /** One sealed envelope, bytes: leaves room for the frame around it. */
  envelopeBytes: 16_000,
  /** Envelopes waiting in one mailbox. */
  mailboxEnvelopes: 10_000,
  /** Days after which an undelivered envelope is deleted, and for which the id of one that is gone is remembered. */
  envelopeDays: 30,
  tombstoneDays: 7,
  /** Envelopes sent to a socket and not yet acknowledged. */
  socketWindow: 128,
  /** Seconds a socket may stay open before its HELLO. */
  helloSeconds: 5,
  /** Sockets of one address at once that have not been admitted by their HELLO yet. */
  silentSockets: 256,
  /** `POST /v1/send` requests a second, and burst, from one address. */
  sendsPerSecond: 300,
  sendsBurst: 600,
  /** All other requests a second, and burst, from one address. */
  requestsPerSecond: 50,
  requestsBurst: 500,
  /** Requests about the log a second, and burst, from one address: an auditor reads all of it. */
  logRequestsPerSecond: 300,
  logRequestsBurst: 1_000,
  /** Characters of a person's name: `^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$`. */
  nameCharacters: 32,
  /** Sign-in attempts for one account and address, then one every `signInRefillSeconds`. */
  signInAttempts: 10,
  signInRefillSeconds: 30,
  /** Tokens for the bundle of one device; bundles a day of one device before only the last-resort key is served. */
  bundlePrice: 4,
  oneTimePerDay: 100,
  /** One-time prekeys in one batch; replenish below `batchLow`. */
  batchSize: 100,
  batchLow: 30,
  /** Days from making a signed or last-resort prekey to the next, at most from making to expiry, and for which its private half outlives its replacement. */
  prekeyRotationDays: 7,
  prekeyDays: 90,
  prekeyKeptDays: 14,
  /** Devices of one account, and removed devices that its list still names. */
  devices: 16,
  revokedDevices: 64,
  /** UTF-8 bytes of the text of one direct message. */
  textBytes: 8_000,
  /** Access token life, refresh token life, seconds (A5). */
  accessSeconds: 900,
  refreshSeconds: 604_800,
  /** A nonce is good once, and for so many seconds; what a device without keys yet may do ends after these. */
  nonceSeconds: 120,
  joiningSeconds: 3_600,
  /** Registrations an hour from one address, of those whom nobody invited. */
  registrationsPerHour: 20,
  /** One-time passwords (TOTP): tries from one address, then one every `totpRefillSeconds`; an hour of all without a device, and of one device. */
  totpAttempts: 5,
  totpRefillSeconds: 60,
  totpAttemptsPerHour: 60,
  totpDeviceAttemptsPerHour: 120,
  /** Backup codes of one set, and tries of one address for one account: an hour, a day. */
  backupCodes: 8,
  codeAttemptsPerHour: 5,
  codeAttemptsPerDay: 20,
  /** The key record of an account, bytes, former archive keys that it holds at most, and new ones of one device a day. */
  recordBytes: 49_152,
  archiveKeys: 1_000,
  rotationsPerDay: 32,
  /** One segment of an archive, all segments of one account, and one answer with segments, bytes. */
  segmentBytes: 65_536,
  archiveBytes: 1_073_741_824,
  /** Lists in one answer of `lists`. */
  listsPerAnswer: 16,
  /** Questions of one account an hour, by a session, about names that are not its own. */
  otherLookupsPerHour: 60,
  /** Seconds that an offer to link a device stands; its messages, bytes; offers of one account at once. */
  linkSeconds: 600,
  linkMessageBytes: 1_024,
  linkOffers: 4,
  /** Seconds from asking for a reset of an account to the moment at which it can be done. */
  resetSeconds: 259_200,
  /** Seconds for a sign-in with the organisation, then for its grant; wrong digits after which it is refused. */
  oidcSeconds: 600,
  oidcTries: 5,
  /** Sign-ins with the organisation begun from one address at once, then one every `oidcRefillSeconds`. */
  oidcBegins: 30,
  oidcRefillSeconds: 2,
  /** One request to a witness, bytes: a checkpoint with sixteen of the largest signatures, and its proof. */
  witnessRequestBytes: 65_536,
  /** Of a space: its title and those of channels and roles, topics, reasons, bytes; members; one entry of its log, bytes. */
  titleBytes: 128,
  topicBytes: 1_024,
  reasonBytes: 256,
  spaceMembers: 5_000,
  entryBytes: 4_096,
  /** Spaces that one account is in, and that it has begun; one post, bytes; posts in one answer. */
  spacesEach: 200,
  spacesBegun: 50,
  postBytes: 8_448,
  postsPerAnswer: 512,
  /** Channels that one socket watches, and envelopes with keys in one request. */
  watchedChannels: 512,
  /** Posts of one socket that wait for their answer; seconds in which it may say once that somebody types in a channel. */
  postsUnanswered: 8,
  typingSeconds: 3,
  /** A sealed report, bytes; reports that wait in one space. */
  reportBytes: 65_536,
  reportsWaiting: 1_000,
  /** Of one member in one space. */
  reportsEach: 20,
  /** Of one account: entries, and requests with keys for one other account. */
  entriesPerHour: 1_000,
  keySendsPerHour: 2_000,
  /** Seconds that what a device said of its person's presence stands. */
  presenceSeconds: 90,
} as const;

/** Argon2id parameters (memory in KiB) that new accounts use, and the least that anybody accepts. docs/protocol/accounts.md §2 */
export const leastKdf = { memory: 65_536, passes: 3, lanes: 1 } as const;
