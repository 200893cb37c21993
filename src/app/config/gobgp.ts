/** The neighbors of a GoBGP configuration in TOML, as far as users of upstream prefixd need it. Pure. */

/** The password itself is never read out. */
export interface GobgpNeighbor {
  readonly address: string;
  readonly asn: number | null;
  readonly hasPassword: boolean;
}

/** Reads the `[[neighbors]]`. */
export function gobgpNeighbors(toml: string): readonly GobgpNeighbor[] {
  const blocks = withoutComments(toml)
    .split(/^\s*\[\[\s*neighbors\s*\]\]\s*$/m)
    .slice(1);
  return blocks.flatMap((block) => {
    const text = block.split(/^\s*\[\[(?!\s*neighbors\.)/m)[0] ?? '';
    const address = /neighbor-address\s*=\s*["']([^"']+)["']/.exec(text)?.[1];
    const asn = /peer-as\s*=\s*([\d_]+)/.exec(text)?.[1]?.replaceAll('_', '');
    if (address === undefined) return [];
    const hasPassword = /auth-password\s*=\s*("[^"]+"|'[^']+')/.test(text);
    return [{ address, asn: asn === undefined ? null : Number(asn), hasPassword }];
  });
}

/** Removes comments (`#` outside quotes). */
function withoutComments(toml: string): string {
  return toml.replaceAll(/("[^"\n]*"|'[^'\n]*')|#.*$/gm, (_, text: string | undefined) => text ?? '');
}
