import { interopSuite } from '../support/interop-suite.ts';

interopSuite({
  kind: 'bird',
  dials: 'we',
  helps: true,
  checksTtl: true,
  async refresh(rig) {
    if (rig.daemon.kind === 'bird') await rig.daemon.command('reload', 'in', 'peer0');
  },
  lastShutdown: async (rig) => rig.daemon.log(),
});
