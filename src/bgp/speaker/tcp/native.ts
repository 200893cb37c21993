/**
 * socket-options.ts, which calls the C library, loaded when the first connection is made. Where koffi's library for this
 * platform is missing, everything but TCP MD5 and GTSM works without it: sessions then count as acknowledged what the
 * operating system has taken.
 */

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

  /** Once `get` has resolved; undefined where they cannot be loaded. */
  get options(): SocketOptions | undefined {
    return this.#options;
  }

  /** The options, or in words why they cannot be used here. Loads them once. */
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

  /** In words why the options cannot be used here; undefined where they can. */
  async lacking(): Promise<string | undefined> {
    const options = await this.get();
    return typeof options === 'string' ? options : undefined;
  }
}

function whyNot(error: unknown): string {
  const cause = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
  return process.platform === 'linux'
    ? `koffi's library for ${process.platform}-${process.arch} cannot be loaded (${cause}): install prefixd again on this platform, with its optional dependencies`
    : cause;
}

/** Why md5_password_env and ttl_security_hops do not work here; undefined where they do. */
export function securedWords(lacking: string): string {
  return `TCP MD5 and GTSM do not work here: ${lacking}`;
}
