/**
 * Loaded into a daemon with `node --import`: while the file named by PREFIXD_FAILING_WRITES exists, calls of open files fail,
 * are cut short or hang as it says: `write|datasync|any EIO|ENOSPC|EDQUOT|short|hang`. Hanging calls go on when it is gone.
 */
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';

const control = process.env.PREFIXD_FAILING_WRITES ?? '';

/** The writes that fail now, and how. */
function order() {
  try {
    const [call, failure] = readFileSync(control, 'utf8').split(' ');
    return { call, failure };
  } catch {
    return undefined;
  }
}

const wait = () => new Promise((resolve) => setTimeout(resolve, 20));

async function obey(name) {
  for (;;) {
    const now = order();
    if (now === undefined || (now.call !== name && now.call !== 'any')) return undefined;
    const { failure } = now;
    if (failure === 'hang') await wait();
    else if (failure === 'short') return name === 'write' ? 'short' : undefined;
    else
      throw Object.assign(new Error(`${failure}: as the assault wants it, ${name}`), {
        code: failure,
        syscall: name,
      });
  }
}

const some = await open('/dev/null');
const { prototype } = some.constructor;
await some.close();
for (const name of ['write', 'datasync', 'sync', 'truncate']) {
  const real = prototype[name];
  prototype[name] = async function failing(...args) {
    const how = await obey(name === 'sync' ? 'datasync' : name);
    if (how !== 'short') return real.apply(this, args);
    // The first half is taken, and then the disk is full.
    const [bytes, offset = 0, length = bytes.length - offset, position = null] = args;
    if (length < 2)
      throw Object.assign(new Error('ENOSPC: as the assault wants it'), { code: 'ENOSPC', syscall: name });
    return real.call(this, bytes, offset, length >> 1, position);
  };
}
