/** docs/routers.md shows what `prefixd init` prints, with the addresses of the page. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { Peering, Platform } from '../../src/config/init/router-snippets.ts';
import { PLATFORMS, ROUTER_KINDS } from '../../src/config/init/router-snippets.ts';

const page = await readFile(new URL('../../docs/routers.md', import.meta.url), 'utf8');

const OURS = { address: '127.0.0.10', asn: 65010 };
const HARDWARE: Peering = {
  prefixd: { address: '192.0.2.10', asn: 65010 },
  router: { address: '192.0.2.1', asn: 65001, port: 179, routerId: '192.0.2.1' },
  maxRules: 1000,
};

/** What the chapters that were tried on loopback say of the router. */
const ON_LOOPBACK: Readonly<Partial<Record<Platform, Peering['router']>>> = {
  frr: { address: '127.0.0.4', asn: 65003, port: 1793, routerId: '10.0.0.3' },
  bird: { address: '127.0.0.3', asn: 65002, port: 1792, routerId: '10.0.0.2' },
  gobgp: { address: '127.0.0.1', asn: 65001, port: 1791, routerId: '10.0.0.1' },
};

function chapterOf(title: string): string {
  return page.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
}

describe('docs/routers.md', () => {
  for (const platform of PLATFORMS.filter((one) => one !== 'generic')) {
    const { title, tried, configuration } = ROUTER_KINDS[platform];
    it(`has for ${title} what prefixd init prints`, () => {
      const chapter = chapterOf(title);
      const router = ON_LOOPBACK[platform];
      const peering = router === undefined ? HARDWARE : { ...HARDWARE, prefixd: OURS, router };
      const [, block] = /^```[\w-]*\n([\s\S]*?)^```$/m.exec(chapter) ?? [];
      assert.equal(block, configuration(peering));
      assert.equal(chapter.includes('Tried here'), tried, 'and says the same of whether it was tried');
    });
  }
});
