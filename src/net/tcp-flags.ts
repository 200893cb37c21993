/** Names of the control bits in the TCP header's octet 14, lowest first (RFC 9293 §3.1, RFC 3168 §6.1). */
export const TCP_FLAGS: ReadonlyMap<string, number> = new Map([
  ['fin', 0x01],
  ['syn', 0x02],
  ['rst', 0x04],
  ['psh', 0x08],
  ['ack', 0x10],
  ['urg', 0x20],
  ['ece', 0x40],
  ['cwr', 0x80],
]);
