/**
 * Capture files: the classic pcap format (draft-ietf-opsawg-pcap) and, through pcapng.ts, the pcapng format. A damaged
 * or truncated file gives what could be read and a problem in words; nothing here throws.
 */
import type { Capture, Packet } from './packet.ts';
import { isPcapng, readPcapng } from './pcapng.ts';

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
/** Kuznetzov's format: eight octets more in each record header, for the interface and the protocol. */
const MAGIC_MODIFIED = 0xa1b2cd34;
const MODIFIED_RECORD_HEADER = 24;
/** What other files begin with that hold captures inside of them, by their first octets. */
const WRAPPINGS: readonly (readonly [magic: RegExp, advice: string])[] = [
  [/^1f8b/, 'gzip; unpack it with gunzip first'],
  [/^28b52ffd/, 'zstd; unpack it with unzstd first'],
  [/^fd377a58/, 'xz; unpack it with unxz first'],
  [/^425a68/, 'bzip2; unpack it with bunzip2 first'],
  [/^736e6f6f/, 'snoop; convert it with editcap first'],
];

/** Reads a pcap or pcapng file, of either byte order and with micro- or nanoseconds. */
export function readCapture(file: Uint8Array): Capture {
  if (isPcapng(file)) return readPcapng(file);
  if (file.length < FILE_HEADER) {
    return { packets: [], problems: [`the file has ${file.length} octets, too few for a capture`] };
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (const littleEndian of [true, false]) {
    const magic = view.getUint32(0, littleEndian);
    if (magic === MAGIC_MICROSECONDS) return readRecords(file, view, littleEndian, 1_000, RECORD_HEADER);
    if (magic === MAGIC_NANOSECONDS) return readRecords(file, view, littleEndian, 1_000_000, RECORD_HEADER);
    if (magic === MAGIC_MODIFIED) {
      return readRecords(file, view, littleEndian, 1_000, MODIFIED_RECORD_HEADER);
    }
  }
  const magic = view.getUint32(0).toString(16).padStart(8, '0');
  const wrapping = WRAPPINGS.find(([pattern]) => pattern.test(magic));
  const hint = wrapping === undefined ? '' : `: ${wrapping[1]}`;
  return { packets: [], problems: [`offset 0: not a pcap or pcapng file (it begins with ${magic}${hint})`] };
}

/** Packet records behind the file header. `ticksPerMs` is the unit of the fraction of a second. */
function readRecords(
  file: Uint8Array,
  view: DataView,
  littleEndian: boolean,
  ticksPerMs: 1_000 | 1_000_000,
  recordHeader: number,
): Capture {
  const packets: Packet[] = [];
  const problems: string[] = [];
  // The upper bits of this field tell of a frame check sequence; the type is in the lower 16.
  const linkType = view.getUint32(20, littleEndian) & 0xffff;
  let at = FILE_HEADER;
  while (at < file.length) {
    const number = packets.length + 1;
    if (file.length - at < recordHeader) {
      problems.push(`packet ${number} at offset ${at}: the file ends within its record header`);
      break;
    }
    const length = view.getUint32(at + 8, littleEndian);
    const start = at + recordHeader;
    if (length > file.length - start) {
      problems.push(
        `packet ${number} at offset ${start}: its record claims ${length} octets, the file has ${file.length - start} more`,
      );
      break;
    }
    packets.push({
      number,
      offset: start,
      time: view.getUint32(at, littleEndian) * 1000 + view.getUint32(at + 4, littleEndian) / ticksPerMs,
      linkType,
      data: file.subarray(start, start + length),
      originalLength: view.getUint32(at + 12, littleEndian),
    });
    at = start + length;
  }
  return { packets, problems };
}
