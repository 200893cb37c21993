/**
 * The few calls of GoBGP's gRPC API (v3, package apipb) that add rules. Field numbers are those of its published
 * api/gobgp.proto and api/attribute.proto. gRPC is HTTP/2 with messages behind a flag and a length of four octets.
 */
import { type ClientHttp2Session, connect } from 'node:http2';
import { Afi, Safi } from '../../src/bgp/wire/iana.ts';
import { RULE_PORT, victimOf } from '../rules.ts';
import { any, bytesField, numberField } from './protobuf.ts';

/** Rules in one message of a stream. */
const PATHS_A_MESSAGE = 500;

/** One rule as apipb.Path: nlri = 1, pattrs = 2, family = 9. */
function pathOf(n: number): Buffer {
  const component = (type: number, value: number): Buffer =>
    any(
      'apipb.FlowSpecComponent',
      Buffer.concat([
        numberField(1, type),
        // End of list and equals (RFC 8955 §4.2.1.1).
        bytesField(2, Buffer.concat([numberField(1, 0x81), numberField(2, value)])),
      ]),
    );
  const destination = any(
    'apipb.FlowSpecIPPrefix',
    Buffer.concat([numberField(1, 1), numberField(2, 32), bytesField(3, victimOf(n))]),
  );
  const nlri = [destination, component(3, 17), component(5, RULE_PORT)].map((rule) => bytesField(1, rule));
  return Buffer.concat([
    bytesField(1, any('apipb.FlowSpecNLRI', Buffer.concat(nlri))),
    bytesField(2, any('apipb.OriginAttribute', Buffer.alloc(0))),
    // It asks for a next hop, which it never sends.
    bytesField(2, any('apipb.NextHopAttribute', bytesField(1, '0.0.0.0'))),
    bytesField(
      2,
      any(
        'apipb.ExtendedCommunitiesAttribute',
        bytesField(1, any('apipb.TrafficRateExtended', Buffer.alloc(0))),
      ),
    ),
    bytesField(9, Buffer.concat([numberField(1, Afi.IPv4), numberField(2, Safi.FlowSpec)])),
  ]);
}

function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

export class GoBgpApi {
  readonly #session: ClientHttp2Session;

  constructor(host: string, port: number) {
    this.#session = connect(`http://${host}:${port}`);
    this.#session.on('error', () => undefined);
  }

  /** AddPath, one rule: the message is made now, the call when the returned function is called. */
  addOne(n: number): () => void {
    const message = framed(bytesField(3, pathOf(n)));
    return () => this.#call('/apipb.GobgpApi/AddPath', message);
  }

  /** AddPathStream, many rules; likewise. */
  addMany(from: number, count: number): () => void {
    const messages: Buffer[] = [];
    for (let at = from; at < from + count; at += PATHS_A_MESSAGE) {
      const paths: Buffer[] = [];
      for (let n = at; n < Math.min(at + PATHS_A_MESSAGE, from + count); n++) {
        paths.push(bytesField(3, pathOf(n)));
      }
      messages.push(framed(Buffer.concat(paths)));
    }
    const octets = Buffer.concat(messages);
    return () => this.#call('/apipb.GobgpApi/AddPathStream', octets);
  }

  close(): void {
    this.#session.destroy();
  }

  #call(path: string, octets: Buffer): void {
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const complain = (headers: {
      readonly 'grpc-status'?: unknown;
      readonly 'grpc-message'?: unknown;
    }): void => {
      const status = headers['grpc-status'];
      if (status !== undefined && String(status) !== '0') {
        process.stderr.write(`gobgp refuses ${path}: ${status} ${String(headers['grpc-message'])}\n`);
      }
    };
    stream.on('response', complain);
    stream.on('trailers', complain);
    stream.on('error', () => undefined);
    stream.resume();
    stream.end(octets);
  }
}
