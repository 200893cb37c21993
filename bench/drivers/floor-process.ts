/** The floor in a process of its own: see FloorSession. */
import type { ChildOptions, ChildRequest } from './child-protocol.ts';
import { FloorSession } from './floor-session.ts';

const options: ChildOptions = JSON.parse(process.argv[2] ?? '{}');
const session = new FloorSession(options.host, options.sink);

process.on('message', (request: ChildRequest) => {
  if (request.type === 'go') {
    session.write();
    session.keep();
    return;
  }
  session.prepare(request.from, request.count);
  process.send?.({ type: 'is-ready' });
});
process.on('disconnect', () => process.exit(0));
