/**
 * Loads socket-options.ts, which calls the C library, when the first connection is made. If koffi's library is missing
 * for this platform, everything but TCP MD5 and GTSM still works: sessions then count data as acknowledged as soon as
 * the operating system has accepted it.
 */
import { errorText } from '../../../net/text.ts';

export type SocketOptions = typeof import('./socket-options.ts');

export type LoadOptions = () => Promise<SocketOptions>;

export const loadOptions: LoadOptions = () => import('./socket-options.ts');

export class Native {
  readonly #load: LoadOptions;
  #loaded: Promise<SocketOptions | string> | undefined;
  #options: SocketOptions | undefined;

  constructor(load: LoadOptions = loadOptions) {
    this.#load = load;
  }

  /** The options after `get` has resolved; undefined if they cannot be loaded. */
  get options(): SocketOptions | undefined {
    return this.#options;
  }

  /** Returns the options, or the reason why they are not available. Loads them once. */
  get(): Promise<SocketOptions | string> {
    this.#loaded ??= this.#load().then(
      (options) => {
        this.#options = options;
        return options;
      },
      (error: unknown) => whyNot(error),
    );
    return this.#loaded;
  }

  /** Returns the reason why the options are not available; undefined if they are. */
  async lacking(): Promise<string | undefined> {
    const options = await this.get();
    return typeof options === 'string' ? options : undefined;
  }
}

function whyNot(error: unknown): string {
  const cause = errorText(error).split('\n')[0] ?? '';
  return process.platform === 'linux'
    ? `koffi's library for ${process.platform}-${process.arch} cannot be loaded (${cause}): install prefixd again on this platform, with its optional dependencies`
    : cause;
}

/** Explains that md5_password_env and ttl_security_hops do not work on this host. */
export function securedText(lacking: string): string {
  return `TCP MD5 and GTSM do not work here: ${lacking}`;
}
