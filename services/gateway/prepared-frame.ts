/**
 * A WebSocket message as it goes over the wire, made once for any number of sockets. RFC 6455 §5.2: final, binary,
 * not masked, since it goes from server to client.
 *
 *     0x82 ‖ (u8 length < 126 | 126 ‖ u16 length | 127 ‖ u64 length) ‖ payload
 */
export function preparedFrame(payload: Uint8Array): Buffer {
  const { length } = payload;
  const head = length < 126 ? 2 : length < 0x10000 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = 0x82;
  if (head === 2) frame[1] = length;
  else if (head === 4) frame.writeUInt16BE(length, frame.writeUInt8(126, 1));
  else frame.writeBigUInt64BE(BigInt(length), frame.writeUInt8(127, 1));
  frame.set(payload, head);
  return frame;
}
