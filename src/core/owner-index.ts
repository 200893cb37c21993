/** Looks up owners of addresses and prefixes. Assets go before prefixes of customers, and the narrower entry before the wider. */
import { type Prefix, unmapped } from '../net/prefix.ts';
import { type Ownership, ownerTogether, type PrefixOwnership } from './ownership.ts';
import { PrefixTrie } from './prefix-trie.ts';

/** The assets that have one prefix in common, in the order of the file. */
interface Assets {
  readonly prefix: Prefix;
  readonly owners: Ownership[];
  /** Who owns the addresses of the prefix that no narrower asset has; set by `seal`. */
  together: Ownership | undefined;
}

/** Filled first, then sealed, then asked. */
export class OwnerIndex {
  /** The values are the owners themselves, which saves look-ups a step. */
  readonly #prefixes = new PrefixTrie<PrefixOwnership>();
  readonly #assets = new PrefixTrie<Assets>();

  /** Adds a prefix of a customer. Returns the owner it had, who loses it. */
  addPrefix(prefix: Prefix, owner: Ownership): Ownership | undefined {
    return this.#prefixes.set(prefix, { ...owner, prefix });
  }

  /** Adds a prefix of an asset. Returns the owners that the same prefix had already, who keep it. */
  addAsset(prefix: Prefix, owner: Ownership): readonly Ownership[] {
    const assets = this.#assets.get(prefix);
    if (assets === undefined) {
      this.#assets.set(prefix, { prefix, owners: [owner], together: undefined });
      return [];
    }
    const before = [...assets.owners];
    assets.owners.push(owner);
    return before;
  }

  /** The narrowest prefix of a customer that covers this one. */
  prefixAround(prefix: Prefix): Ownership | undefined {
    return this.#prefixes.covering(prefix)[0];
  }

  /** The narrowest asset that covers this prefix and is wider. */
  assetAround(prefix: Prefix): Ownership | undefined {
    return this.#assets.parentOf(prefix)?.owners[0];
  }

  /** Adds up the services of each address, one prefix a step; not sealed before the last. */
  *seal(): Generator<undefined, void> {
    for (const assets of this.#assets.values()) {
      assets.together = ownerTogether(this.#around(assets.prefix));
      yield;
    }
  }

  /** The owner of an address of 4 or 16 octets; undefined when nobody owns it. */
  ofAddress(address: Uint8Array): Ownership | undefined {
    return this.#assets.longestMatch(address)?.together ?? this.#prefixes.longestMatch(address);
  }

  /**
   * The owner of a prefix when one customer owns all of it: an asset or a prefix of the customer covers it, and nothing
   * inside belongs to another customer. Cost grows with the number of entries inside.
   */
  ofPrefix(asked: Prefix): PrefixOwnership | undefined {
    const prefix = unmapped(asked);
    const around = this.#around(prefix);
    const above = this.#prefixes.covering(prefix);
    const customerId = around[0]?.customerId ?? above[0]?.customerId;
    if (customerId === undefined) return undefined;
    const inside = [...this.#assets.within(prefix)].flatMap(({ owners }) => owners);
    const others = around.length > 0 ? [] : [...this.#prefixes.within(prefix)];
    if ([...inside, ...others].some((owner) => owner.customerId !== customerId)) return undefined;

    const entry = above.find((owner) => owner.customerId === customerId);
    const covering = entry?.prefix ?? this.#assets.covering(prefix)[0]?.prefix;
    if (covering === undefined) return undefined;
    // An asset with the very same prefix is both around it and inside.
    const assets = [...new Set([...around, ...inside])];
    const owner = assets.length === 0 ? entry : ownerTogether(assets);
    if (owner === undefined) return undefined;
    return { ...owner, entry: (around[0] ?? entry ?? owner).entry, prefix: covering };
  }

  /** The assets that cover a prefix, narrowest first, as far as they are of the customer who has the narrowest. */
  #around(prefix: Prefix): readonly Ownership[] {
    const owners = this.#assets.covering(prefix).flatMap((assets) => assets.owners);
    return owners.filter(({ customerId }) => customerId === owners[0]?.customerId);
  }
}
