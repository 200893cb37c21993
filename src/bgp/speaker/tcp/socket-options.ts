/**
 * TCP MD5 signatures (RFC 2385), GTSM (RFC 5082) and the acknowledgements of the peer's TCP: Linux socket features that
 * Node has no API for. This file calls the C library through koffi and is loaded by native.ts with the first
 * connection; it returns ordinary Node sockets.
 */
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { parseAddress } from '../../../net/prefix.ts';
import { asError } from '../../../net/text.ts';
import type { DialRequest, ExpectedPeer } from '../transport.ts';

/** Linux constants of <bits/socket.h>, <linux/in.h>, <linux/in6.h>, <linux/tcp.h>. */
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const IPPROTO_IP = 0;
const IP_TTL = 2;
const IP_MINTTL = 21;
const IPPROTO_TCP = 6;
const TCP_MD5SIG = 14;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_MINHOPCOUNT = 73;
const POLLOUT = 4;
const EINPROGRESS = 115;

/** <asm/sockios.h>, TIOCOUTQ of <asm/ioctls.h>: the same on all platforms of Node except POWER. */
const SIOCOUTQ = process.arch === 'ppc64' ? 0x40047473 : 0x5411;

/** RFC 5082 §3: packets are sent with the largest TTL, so that the receiver can tell their distance. */
const LARGEST_TTL = 255;

const LISTEN_BACKLOG = 128;

/** Interval of checks whether a dial is connected, in milliseconds; starts short and doubles. */
const FIRST_LOOK_MS = 2;
const LONGEST_LOOK_MS = 100;

const libc = loadLibrary();

interface Library {
  readonly socket: (domain: number, type: number, protocol: number) => number;
  readonly bind: (fd: number, address: Uint8Array, length: number) => number;
  readonly connect: (fd: number, address: Uint8Array, length: number) => number;
  readonly listen: (fd: number, backlog: number) => number;
  readonly setsockopt: (fd: number, level: number, name: number, value: Uint8Array, length: number) => number;
  readonly getsockopt: (
    fd: number,
    level: number,
    name: number,
    value: Uint8Array,
    length: Uint8Array,
  ) => number;
  readonly poll: (fds: Uint8Array, count: number, timeout: number) => number;
  readonly ioctl: (fd: number, request: number, value: Uint8Array) => number;
  readonly close: (fd: number) => number;
  readonly if_nametoindex: (name: string) => number;
}

function loadLibrary(): Library {
  if (process.platform !== 'linux') {
    throw new Error(`they need Linux, not ${process.platform}`);
  }
  const library = koffi.load(null);
  return {
    socket: library.func('int socket(int, int, int)'),
    bind: library.func('int bind(int, const uint8_t *, uint32_t)'),
    connect: library.func('int connect(int, const uint8_t *, uint32_t)'),
    listen: library.func('int listen(int, int)'),
    setsockopt: library.func('int setsockopt(int, int, int, const uint8_t *, uint32_t)'),
    getsockopt: library.func('int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint8_t *)'),
    poll: library.func('int poll(_Inout_ uint8_t *, unsigned long, int)'),
    ioctl: library.func('int ioctl(int, unsigned long, _Out_ uint8_t *)'),
    close: library.func('int close(int)'),
    if_nametoindex: library.func('uint32_t if_nametoindex(const char *)'),
  };
}

/**
 * Dials with the request's options, without blocking a thread while the other side does not answer. Calls `done` once
 * with a connected socket or the error; the returned function gives up the dial.
 */
export function connectSecured(
  request: DialRequest,
  done: (result: net.Socket | NodeJS.ErrnoException) => void,
): () => void {
  const { address, localAddress, md5Password, ttlSecurityHops } = request;
  if (address.kind === 'unix') throw new Error('TCP MD5 and GTSM are not available on a UNIX socket');
  const remote = socketAddress(address.host, address.port);
  let fd = -1;
  let timer: NodeJS.Timeout | undefined;
  const fail = (error: NodeJS.ErrnoException): void => {
    if (fd >= 0) libc.close(fd);
    fd = -1;
    done(error);
  };
  const look = (pause: number): void => {
    const outcome = connectOutcome(fd);
    if (outcome === 'pending') {
      timer = setTimeout(() => look(Math.min(2 * pause, LONGEST_LOOK_MS)), pause);
      return;
    }
    if (outcome !== 'connected') {
      fail(outcome);
      return;
    }
    const socket = new net.Socket({ fd });
    fd = -1;
    done(socket);
  };
  try {
    fd = check('socket', libc.socket(remote.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (md5Password !== undefined) setMd5Key(fd, remote.family, address.host, md5Password);
    if (ttlSecurityHops !== undefined) {
      setTtl(fd, remote.family);
      setLeastTtl(fd, remote.family, ttlSecurityHops);
    }
    if (localAddress !== undefined) {
      const local = socketAddress(localAddress, 0);
      check('bind', libc.bind(fd, local.octets, local.octets.length));
    }
    const result = libc.connect(fd, remote.octets, remote.octets.length);
    if (result < 0 && koffi.errno() !== EINPROGRESS) throw systemError('connect', koffi.errno());
    look(FIRST_LOOK_MS);
  } catch (error) {
    // Every outcome is reported asynchronously.
    queueMicrotask(() => fail(asError(error)));
  }
  return () => {
    clearTimeout(timer);
    if (fd >= 0) libc.close(fd);
    fd = -1;
  };
}

/** Returns a listening socket for `server.listen({ fd })`. The keys are set before it listens. */
export function listenSecured(
  at: { readonly host: string; readonly port: number },
  peers: readonly ExpectedPeer[],
): number {
  const { family, octets } = socketAddress(at.host, at.port);
  const fd = check('socket', libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  try {
    setNumber(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    check('bind', libc.bind(fd, octets, octets.length));
    // The answer to a neighbor's SYN must pass its GTSM too; for other neighbors the larger TTL changes nothing.
    if (peers.some((peer) => peer.ttlSecurityHops !== undefined)) setTtl(fd, family);
    for (const { host, md5Password } of peers) {
      // An IPv6 neighbor never connects to an IPv4 socket, which accepts no key for it either (EINVAL): it is dialed.
      if (family === AF_INET && host.includes(':')) continue;
      if (md5Password !== undefined) setMd5Key(fd, family, host, md5Password);
    }
    check('listen', libc.listen(fd, LISTEN_BACKLOG));
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** Requires that an accepted connection's packets come from at most so many hops away (RFC 5082 §3). */
export function demandHops(fd: number, host: string, hops: number): void {
  setLeastTtl(fd, host.includes(':') ? AF_INET6 : AF_INET, hops);
}

/**
 * Returns the octets in a connected socket's send queue that the other side's TCP has not acknowledged (SIOCOUTQ); for
 * a UNIX socket, the memory of the data that the other side has not read. Undefined if the descriptor has no such queue
 * (any more).
 */
export function unacknowledged(fd: number): number | undefined {
  return libc.ioctl(fd, SIOCOUTQ, queueLength) < 0 ? undefined : queueLengthView.getInt32(0, LITTLE_ENDIAN);
}

function setTtl(fd: number, family: number): void {
  if (family === AF_INET6) setNumber(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, LARGEST_TTL);
  // On an IPv6 socket this is for IPv4 neighbors.
  setNumber(fd, IPPROTO_IP, IP_TTL, LARGEST_TTL);
}

function setLeastTtl(fd: number, family: number, hops: number): void {
  const least = LARGEST_TTL + 1 - hops;
  if (family === AF_INET6) setNumber(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, least);
  else setNumber(fd, IPPROTO_IP, IP_MINTTL, least);
}

/** struct tcp_md5sig of <linux/tcp.h>: the peer's address in 128 octets, flags, prefix length, key length, index, key. */
function setMd5Key(fd: number, family: number, host: string, password: string): void {
  const key = Buffer.from(password, 'utf8');
  if (key.length === 0 || key.length > 80)
    throw new Error(`an MD5 password must have 1 to 80 bytes, not ${key.length}`);
  // An IPv6 socket identifies IPv4 peers by their mapped addresses.
  const known = family === AF_INET6 && !host.includes(':') ? `::ffff:${host}` : host;
  const option = new Uint8Array(216);
  option.set(socketAddress(known, 0).octets, 0);
  new DataView(option.buffer).setUint16(130, key.length, LITTLE_ENDIAN);
  option.set(key, 136);
  check('setsockopt(TCP_MD5SIG)', libc.setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, option, option.length));
}

const queueLength = new Uint8Array(4);
const queueLengthView = new DataView(queueLength.buffer);

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function setNumber(fd: number, level: number, name: number, value: number): void {
  const octets = new Uint8Array(Int32Array.of(value).buffer);
  check(`setsockopt(${level}, ${name})`, libc.setsockopt(fd, level, name, octets, octets.length));
}

/** sockaddr_in or sockaddr_in6; a zone becomes the scope. */
function socketAddress(host: string, port: number): { readonly family: number; readonly octets: Uint8Array } {
  const [text = '', zone] = host.split('%');
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`"${host}" is not an IPv4 or IPv6 address`);
  const family = address.length === 4 ? AF_INET : AF_INET6;
  const octets = new Uint8Array(family === AF_INET ? 16 : 28);
  const view = new DataView(octets.buffer);
  view.setUint16(0, family, LITTLE_ENDIAN);
  view.setUint16(2, port);
  octets.set(address, family === AF_INET ? 4 : 8);
  if (zone !== undefined && family === AF_INET6) {
    const index = libc.if_nametoindex(zone);
    if (index === 0) throw new Error(`"${zone}" is not an interface of this host`);
    view.setUint32(24, index, LITTLE_ENDIAN);
  }
  return { family, octets };
}

function connectOutcome(fd: number): 'pending' | 'connected' | NodeJS.ErrnoException {
  // struct pollfd: int fd, short events, short revents.
  const entry = new Uint8Array(8);
  const view = new DataView(entry.buffer);
  view.setInt32(0, fd, LITTLE_ENDIAN);
  view.setInt16(4, POLLOUT, LITTLE_ENDIAN);
  if (libc.poll(entry, 1, 0) === 0) return 'pending';
  const value = new Uint8Array(4);
  const length = new Uint8Array(Uint32Array.of(4).buffer);
  check('getsockopt(SO_ERROR)', libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, length));
  const errno = new DataView(value.buffer).getInt32(0, LITTLE_ENDIAN);
  return errno === 0 ? 'connected' : systemError('connect', errno);
}

function check(what: string, result: number): number {
  if (result >= 0) return result;
  throw systemError(what, koffi.errno());
}

/** Makes an error like those of Node's own calls, with the code that callers check. */
function systemError(what: string, errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${what}: ${code}`), { code, errno, syscall: what });
}
