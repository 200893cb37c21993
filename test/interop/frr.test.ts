import { interopSuite } from '../support/interop-suite.ts';

interopSuite({
  kind: 'frr',
  dials: 'we',
  helps: false,
  checksTtl: true,
  echoes: true,
  async refresh(rig) {
    if (rig.daemon.kind !== 'frr') return;
    for (const family of ['ipv4', 'ipv6']) {
      await rig.daemon.command(`clear bgp ${family} flowspec ${rig.ourAddress} soft in`);
    }
  },
  lastShutdown: async (rig) =>
    rig.daemon.kind === 'frr' ? rig.daemon.command(`show bgp neighbors ${rig.ourAddress} json`) : '',
});
