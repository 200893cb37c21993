/**
 * Preloaded into prefixd (`node --import`): writes to the files that are named in the file $PREFIXD_HANG hang in their thread,
 * as on a disk that does not answer, until somebody reads the FIFO $PREFIXD_HANG.fifo. Names are parts of paths.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';

const flag = process.env.PREFIXD_HANG ?? '';
const promises = createRequire(import.meta.url)('node:fs/promises');
const { open } = promises;

function hangs(path) {
  if (!existsSync(flag)) return false;
  return readFileSync(flag, 'utf8')
    .split('\n')
    .some((part) => part !== '' && String(path).includes(part));
}

promises.open = async (path, ...rest) => {
  const handle = await open(path, ...rest);
  const write = handle.write.bind(handle);
  handle.write = async (...args) => {
    // Opening a FIFO for writing does not return before somebody reads it; the thread is occupied for as long.
    if (hangs(path)) await (await open(`${flag}.fifo`, 'w')).close();
    return write(...args);
  };
  return handle;
};
syncBuiltinESMExports();
