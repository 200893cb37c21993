/** TCP MD5 signatures (RFC 2385) and GTSM (RFC 5082), which Node has no API for. */
import type net from 'node:net';
import type { DialRequest } from './transport.ts';

export function connectSecured(
  _request: DialRequest,
  _done: (result: net.Socket | NodeJS.ErrnoException) => void,
): () => void {
  throw new Error('md5_password and ttl_security_hops need socket options that are not available here');
}
