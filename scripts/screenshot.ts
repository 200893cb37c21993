/**
 * `npm run screenshot`: takes docs/images/dashboard.png again, which README shows. Needs Chromium (Debian package:
 * chromium). The demo runs on free ports with its state in a temporary folder; nothing that runs already is disturbed.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runDemo } from '../src/app/demo.ts';

const PICTURE = join(import.meta.dirname, '..', 'docs', 'images', 'dashboard.png');
/** Of the page in CSS pixels. */
const SIZE = { width: 1100, height: 820 };
/** Pixels of the picture for each of them. */
const SCALE = 1.25;
/** README stays quick to load. */
const MOST_BYTES = 200_000;
/** Time that the page gets to load everything, by its own clock, which Chromium runs ahead (ms). */
const PAGE_MS = 6_000;

const folder = await mkdtemp(join(tmpdir(), 'prefixd-screenshot-'));
try {
  await takeDuringDemo();
  const { size } = await stat(PICTURE);
  if (size > MOST_BYTES) throw new Error(`${PICTURE} has ${size} bytes; README wants at most ${MOST_BYTES}`);
  console.log(`${PICTURE}: ${size} bytes`);
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** Takes the picture when the demo has told its story, and ends the demo. */
async function takeDuringDemo(): Promise<void> {
  const stop = new AbortController();
  let dashboard = '';
  let picture: Promise<void> | undefined;
  const code = await runDemo({
    print: (line) => {
      const [, url] = /dashboard +(http:\S+)/.exec(line) ?? [];
      dashboard = url ?? dashboard;
      if (line.includes('Ctrl-C ends the demo')) picture ??= take(dashboard).finally(() => stop.abort());
    },
    listen: '127.0.0.1:0',
    router: '127.0.0.1:0',
    pauseMs: 1_500,
    signal: stop.signal,
  });
  if (picture === undefined) throw new Error(`the demo ended with ${code} before its story was told`);
  await picture;
}

async function take(url: string): Promise<void> {
  await promisify(execFile)('chromium', [
    ...[
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--hide-scrollbars',
      `--force-device-scale-factor=${SCALE}`,
    ],
    ...[`--user-data-dir=${join(folder, 'chromium')}`, `--window-size=${SIZE.width},${SIZE.height}`],
    ...[`--virtual-time-budget=${PAGE_MS}`, `--screenshot=${PICTURE}`, url],
  ]);
}
