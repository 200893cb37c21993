/** Just enough of the protobuf wire format to write messages: varints and length-delimited fields. */

/** A field with octets, text or a message in it (wire type 2). */
export function bytesField(number: number, value: Uint8Array | string): Buffer {
  const octets = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint((number << 3) | 2), varint(octets.length), octets]);
}

/** A field with an unsigned number, an enum or a bool (wire type 0). Zero is the default and is not written. */
export function numberField(number: number, value: number): Buffer {
  return value === 0 ? Buffer.alloc(0) : Buffer.concat([varint(number << 3), varint(value)]);
}

/** `value` from 0 to 2^31-1. */
function varint(value: number): Buffer {
  const octets: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    octets.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  octets.push(rest);
  return Buffer.from(octets);
}

/** google.protobuf.Any. */
export function any(type: string, message: Buffer): Buffer {
  return Buffer.concat([bytesField(1, `type.googleapis.com/${type}`), bytesField(2, message)]);
}
