/** 7: the codec alone, on one core: rules into octets and back, whole tables into UPDATEs and back. */
import { decodeFlowSpec, encodeFlowSpec } from '../../src/bgp/flowspec/nlri.ts';
import type { FlowSpec } from '../../src/bgp/flowspec/types.ts';
import { packUpdates } from '../../src/bgp/rib/pack.ts';
import { decodeMessage } from '../../src/bgp/wire/message.ts';
import { ASN } from '../drivers/driver.ts';
import { perSecond } from '../per-second.ts';
import { type Ratio, type Row, row, type Scenario } from '../report.ts';
import { RULE_FAMILY, routesUpTo } from '../rules.ts';
import { median } from '../stats.ts';

/** NLRI a second that the issue of the codec asks for. */
const TARGET = { encode: 1_000_000, decode: 500_000 } as const;

const CONTEXT = { fourOctetAs: true, extendedMessages: false, internal: false, localAsn: ASN.driver };

export const codec: Scenario = {
  name: 'codec',
  title: 'Codec: rules of dst + proto + port, one core',
  async run({ quick }) {
    const routes = routesUpTo(quick ? 500 : 50_000);
    const octets = routes.map(({ nlri }) => nlri);
    const specs = octets.map(specOf);
    const { messages } = packUpdates({ announce: routes, withdraw: [] }, CONTEXT);
    const rounds = quick ? 2 : 15;
    // Adds up the results, so that the compiler cannot remove the computation.
    let checksum = 0;
    const rates = {
      encode: perSecond(rounds, specs.length, () => {
        for (const spec of specs) checksum += encodeFlowSpec(spec).length;
      }),
      decode: perSecond(rounds, octets.length, () => {
        for (const nlri of octets) checksum += specOf(nlri).components.length;
      }),
      pack: perSecond(rounds, routes.length, () => {
        checksum += packUpdates({ announce: routes, withdraw: [] }, CONTEXT).messages.length;
      }),
      read: perSecond(rounds, messages.length, () => {
        for (const message of messages) checksum += decodeMessage(message, CONTEXT).type.length;
      }),
    };
    if (checksum === 0) throw new Error('nothing was measured');
    const rows: Row[] = [
      row('encode NLRI', 'prefixd', '/s', rates.encode),
      row('decode NLRI', 'prefixd', '/s', rates.decode),
      row('pack routes into UPDATEs', 'prefixd', '/s', rates.pack),
      row('decode UPDATEs, NLRI left as octets', 'prefixd', '/s', rates.read),
    ];
    const ratios: Ratio[] = [
      { what: `encode / ${TARGET.encode}`, value: median(rates.encode) / TARGET.encode, atLeast: 1 },
      { what: `decode / ${TARGET.decode}`, value: median(rates.decode) / TARGET.decode, atLeast: 1 },
    ];
    return { rows, ratios, missing: [] };
  },
};

function specOf(nlri: Uint8Array): FlowSpec {
  const decoded = decodeFlowSpec(nlri, RULE_FAMILY.afi, RULE_FAMILY.safi);
  if (!decoded.ok) throw new Error(decoded.error.reason);
  return decoded.value.spec;
}
