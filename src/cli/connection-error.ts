/** Why there is no answer, in words that say what to do. */
import { CliError, Exit } from './context.ts';
import { Late } from './transport.ts';

/** Codes with which TLS says that this side must show a certificate, or another one. */
const CERTIFICATE_WANTED = /ALERT_(CERTIFICATE_|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)/;

/** How long the API may take to say why it hangs up (ms). */
const PROBE_MS = 1_000;

/** Codes with which OpenSSL refuses what `--cert` and `--key` hold. */
const OWN_CERTIFICATE = /^ERR_OSSL_(PEM|X509|EVP|ASN1)_/;

/** Codes of a certificate that no known CA signed. */
const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

const WHY: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused; is the daemon running?',
  ENOTFOUND: 'unknown host',
  EHOSTUNREACH: 'host unreachable',
  [Late.Connect]: 'no response before the timeout',
  [Late.Headers]: 'it accepted the call, but did not answer before the timeout',
  [Late.Body]: 'it stopped in the middle of its answer',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; write http:// if that is meant',
};

/**
 * The failure of a call to `base`. In TLS 1.3 the handshake ends before the server looks at the certificate, so that its
 * refusal reaches a client of HTTP as a mere hang-up; it is asked for once more then.
 */
export async function connectionError(base: string, error: unknown, ca?: string): Promise<CliError> {
  const cause = rootOf(error);
  const code = codeOf(cause);
  // A server of TLS that is spoken to without answers octets that are no HTTP.
  const hungUp = code === 'ECONNRESET' || code.startsWith('HPE_');
  const alert = hungUp && base.startsWith('https:') ? await tlsAlert(base, ca) : code;
  if (CERTIFICATE_WANTED.test(alert)) {
    const advice = 'give one that its CA signed with --cert and --key';
    return new CliError(Exit.NotAuthorised, `${base} wants another client certificate: ${advice} (${alert})`);
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  if (OWN_CERTIFICATE.test(code)) {
    const advice = 'they take PEM files that belong together';
    return new CliError(Exit.InvalidInput, `--cert and --key cannot be used: ${advice} (${message})`);
  }
  const late = cause instanceof Error && cause.name === 'TimeoutError';
  let why = WHY[code] ?? (late ? 'no response before the timeout' : message);
  if (UNTRUSTED.has(code)) {
    why = `its certificate is not trusted: ${ca === undefined ? 'give the CA with --cacert' : '--cacert is not the CA that signed it'}`;
  } else if (hungUp && base.startsWith('http:')) {
    why = 'it hung up without an answer; write https:// if it speaks TLS';
  }
  return new CliError(
    Exit.CannotConnect,
    `cannot connect to ${base}: ${why} (another address: --api or PREFIXD_API)`,
  );
}

/** The code of the alert with which the server ends a TLS connection; empty when it does not. */
async function tlsAlert(base: string, ca: string | undefined): Promise<string> {
  const { connect } = await import('node:tls');
  const { hostname, port } = new URL(base);
  const host = hostname.replaceAll(/[[\]]/g, '');
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port || 443), ...(ca === undefined ? {} : { ca }) });
    const done = (code: string): void => {
      socket.destroy();
      resolve(code);
    };
    socket.setTimeout(PROBE_MS, () => done(''));
    socket.once('error', (error) => done(codeOf(error)));
    socket.once('close', () => done(''));
    // Only a side that reads hears the alert.
    socket.resume();
  });
}

/** A failed handshake that a write meets first is EPROTO; OpenSSL's reason is in the message then. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error && 'code' in error)) return '';
  const reason = /:SSL routines:[^:]*:([^:]+)/.exec(error.message)?.[1];
  if (error.code !== 'EPROTO' || reason === undefined) return String(error.code);
  return `ERR_SSL_${reason.replaceAll(' ', '_').toUpperCase()}`;
}

/** The error behind the error; of several addresses that failed, the first. */
function rootOf(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (error instanceof Error && error.cause instanceof Error) return rootOf(error.cause);
  return error;
}
