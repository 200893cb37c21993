/**
 * Reads capture files: the pcap format (draft-ietf-opsawg-pcap) and the pcapng format (draft-ietf-opsawg-pcapng). A damaged or
 * truncated file results in the readable packets and a list of problems. Never throws.
 */
import { failed, ok, type Result } from '../../net/result.ts';
const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
/** Kuznetzov's format: each record header has 8 more bytes, for the interface and the protocol. */
const MAGIC_MODIFIED = 0xa1b2cd34;
const MODIFIED_RECORD_HEADER = 24;
/** Recognizes files that contain a capture in another format, by their first bytes. */
const WRAPPINGS: readonly (readonly [magic: RegExp, advice: string])[] = [
  [/^1f8b/, 'gzip; unpack it with gunzip first'],
  [/^28b52ffd/, 'zstd; unpack it with unzstd first'],
  [/^fd377a58/, 'xz; unpack it with unxz first'],
  [/^425a68/, 'bzip2; unpack it with bunzip2 first'],
  [/^736e6f6f/, 'snoop; convert it with editcap first'],
];

/** Reads a pcap or pcapng file in either byte order, with microseconds or nanoseconds. */
export function readCapture(file: Uint8Array): Capture {
  if (isPcapng(file)) return readPcapng(file);
  if (file.length < FILE_HEADER) {
    return { packets: [], problems: [`the file has ${file.length} bytes, too few for a capture`] };
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

/** Reads the packet records after the file header. `ticksPerMs` is the unit of the fraction of a second. */
function readRecords(
  file: Uint8Array,
  view: DataView,
  littleEndian: boolean,
  ticksPerMs: 1_000 | 1_000_000,
  recordHeader: number,
): Capture {
  const packets: Packet[] = [];
  const problems: string[] = [];
  // The upper bits of this field describe a frame check sequence; the type is in the lower 16 bits.
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
        `packet ${number} at offset ${start}: its record is ${length} bytes long, but only ${file.length - start} bytes follow`,
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

// Defines the result for both formats.

/** Holds a captured frame. */
export interface Packet {
  /** The packet's number from 1, as tcpdump and Wireshark count. */
  readonly number: number;
  /** The offset of `data` in the file, in bytes. */
  readonly offset: number;
  /** Milliseconds since the epoch with a fraction (accurate to a microsecond); undefined if unknown. */
  readonly time: number | undefined;
  /** The interface's LINKTYPE_ value, such as 1 for Ethernet. */
  readonly linkType: number;
  /** The captured bytes of the frame: a view on the file. */
  readonly data: Uint8Array;
  /** The frame's length on the wire; more than `data.length` if a snap length truncated it. */
  readonly originalLength: number;
}

/** Holds a file's packets, and problems with packet number and offset. */
export interface Capture {
  readonly packets: readonly Packet[];
  readonly problems: readonly string[];
}

// Reads pcapng, a chain of blocks. Sections may differ in byte order. Each packet names its interface, whose description has
// the link type and the unit of times.

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const OPTION_TSRESOL = 9;
const OPTION_TSOFFSET = 14;

/** The largest valid time in milliseconds from the epoch (ECMA-262 §21.4.1.1). */
const LAST_TIME = 8.64e15;

interface Interface {
  readonly linkType: number;
  /** The most bytes captured of a packet; 0 is no limit. */
  readonly snapLength: number;
  readonly ticksPerSecond: bigint;
  readonly offsetSeconds: number;
}

/** Holds a block's body: `view` spans only the body, which begins at `offset` in the file. */
interface Body {
  readonly view: DataView;
  readonly littleEndian: boolean;
  readonly offset: number;
}

/** Returns true if the file begins with a section header block, whose type is the same in both byte orders. */
export function isPcapng(file: Uint8Array): boolean {
  return file.length >= 12 && file[0] === 0x0a && file[1] === 0x0d && file[2] === 0x0d && file[3] === 0x0a;
}

/**
 * Reads all sections. Skips a damaged block if its length still leads to another block; otherwise stops there.
 */
export function readPcapng(file: Uint8Array): Capture {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const packets: Packet[] = [];
  const problems: string[] = [];
  let interfaces: (Interface | undefined)[] = [];
  let littleEndian = true;
  let at = 0;
  while (at < file.length) {
    const where = `block at offset ${at}, after packet ${packets.length}`;
    const left = file.length - at;
    if (left < 12) {
      problems.push(`${where}: the file ends within its header`);
      break;
    }
    const isSection = view.getUint32(at) === SECTION_HEADER;
    if (isSection) {
      if (view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC) littleEndian = true;
      else if (view.getUint32(at + 8, false) === BYTE_ORDER_MAGIC) littleEndian = false;
      else {
        problems.push(`${where}: the byte-order magic of the section is damaged`);
        break;
      }
      interfaces = [];
    }
    const length = view.getUint32(at + 4, littleEndian);
    if (length < 12 || length % 4 !== 0 || length > left) {
      problems.push(`${where}: it is ${length} bytes long, but the file has ${left} more`);
      break;
    }
    if (view.getUint32(at + length - 4, littleEndian) !== length) {
      problems.push(`${where}: its two length fields differ`);
      if (!isBlock(view, at + length, littleEndian)) break;
    }
    const body: Body = {
      view: new DataView(file.buffer, file.byteOffset + at + 8, length - 12),
      littleEndian,
      offset: at + 8,
    };
    const type = view.getUint32(at, littleEndian);
    if (type === INTERFACE_DESCRIPTION) {
      const { described, faults } = readInterface(body);
      for (const fault of faults) problems.push(`${where}: ${fault}`);
      // A damaged interface keeps its number, so that the numbers of the following ones stay right.
      interfaces.push(described);
    } else if (type === ENHANCED_PACKET || type === OBSOLETE_PACKET || type === SIMPLE_PACKET) {
      const packet = readPacket(file, type, body, interfaces, packets.length + 1);
      if (packet.ok) packets.push(packet.value);
      else problems.push(`${where}: ${packet.error}`);
    }
    at += length;
  }
  return { packets, problems };
}

/** Returns true if the end of the file, or a block with two equal lengths, is at `at`. */
function isBlock(view: DataView, at: number, littleEndian: boolean): boolean {
  const left = view.byteLength - at;
  if (left < 12) return left === 0;
  const length = view.getUint32(at + 4, littleEndian);
  if (length < 12 || length % 4 !== 0 || length > left) return false;
  return view.getUint32(at + length - 4, littleEndian) === length;
}

/** Holds the readable part of an interface description, and its faults. */
interface Description {
  readonly described: Interface | undefined;
  readonly faults: readonly string[];
}

const OPTIONS_OFFSET = 8;

function readInterface({ view, littleEndian }: Body): Description {
  if (view.byteLength < OPTIONS_OFFSET) {
    return { described: undefined, faults: ['an interface description is too short'] };
  }
  const { options, faults } = readOptions(view, littleEndian);
  let ticksPerSecond = 1_000_000n;
  let offsetSeconds = 0;
  for (const { code, at, length } of options) {
    if (code === OPTION_TSRESOL && length >= 1) {
      const resolution = view.getUint8(at);
      const exponent = BigInt(resolution & 0x7f);
      ticksPerSecond = (resolution & 0x80) === 0 ? 10n ** exponent : 2n ** exponent;
    } else if (code === OPTION_TSOFFSET && length >= 8) {
      offsetSeconds = Number(view.getBigInt64(at, littleEndian));
    }
  }
  const described: Interface = {
    linkType: view.getUint16(0, littleEndian),
    snapLength: view.getUint32(4, littleEndian),
    ticksPerSecond,
    offsetSeconds,
  };
  return { described, faults };
}

/** Describes an option, whose value is at `at`. */
interface Option {
  readonly code: number;
  readonly at: number;
  readonly length: number;
}

/**
 * Returns an interface's options. Skips an option that is longer than the block, and resumes where the rest of the block is a
 * list of options again.
 */
function readOptions(
  view: DataView,
  littleEndian: boolean,
): { readonly options: readonly Option[]; readonly faults: readonly string[] } {
  const options: Option[] = [];
  const faults: string[] = [];
  let at = OPTIONS_OFFSET;
  while (at + 4 <= view.byteLength) {
    const option = optionAt(view, at, littleEndian);
    if (option.code === 0) break;
    if (option.at + option.length <= view.byteLength) {
      options.push(option);
      at = behind(option);
      continue;
    }
    faults.push(
      `option ${option.code} of an interface description is ${option.length} bytes long, but the block has ` +
        `${view.byteLength - option.at} more; the option is skipped`,
    );
    do at += 4;
    while (at + 4 <= view.byteLength && !isOptionList(view, at, littleEndian));
  }
  return { options, faults };
}

function optionAt(view: DataView, at: number, littleEndian: boolean): Option {
  return {
    code: view.getUint16(at, littleEndian),
    length: view.getUint16(at + 2, littleEndian),
    at: at + 4,
  };
}

/** Returns the offset after an option, whose value is padded to 4 bytes. */
function behind({ at, length }: Option): number {
  return at + Math.ceil(length / 4) * 4;
}

/** The largest assigned code of an interface's options, and the custom codes (draft-ietf-opsawg-pcapng §3.5, §4.2). */
const LAST_OPTION = 18;
const CUSTOM_OPTIONS: ReadonlySet<number> = new Set([2988, 2989, 19372, 19373]);

/** Returns true if a sequence of known options leads to its end mark. */
function isOptionList(view: DataView, from: number, littleEndian: boolean): boolean {
  let at = from;
  while (at + 4 <= view.byteLength) {
    const option = optionAt(view, at, littleEndian);
    if (option.code === 0) return option.length === 0 && option.at === view.byteLength;
    if (option.code > LAST_OPTION && !CUSTOM_OPTIONS.has(option.code)) return false;
    at = behind(option);
  }
  return at === view.byteLength;
}

function readPacket(
  file: Uint8Array,
  type: number,
  { view, littleEndian, offset }: Body,
  interfaces: readonly (Interface | undefined)[],
  number: number,
): Result<Packet> {
  const header = type === SIMPLE_PACKET ? 4 : 20;
  if (view.byteLength < header) return failed(`packet ${number} is too short`);
  const u32 = (at: number): number => view.getUint32(at, littleEndian);
  const id =
    type === ENHANCED_PACKET ? u32(0) : type === OBSOLETE_PACKET ? view.getUint16(0, littleEndian) : 0;
  const source = interfaces[id];
  if (source === undefined) {
    const why = id < interfaces.length ? 'whose description is damaged' : 'which was not described';
    return failed(`packet ${number} names interface ${id}, ${why}`);
  }
  const simple = type === SIMPLE_PACKET;
  const originalLength = u32(simple ? 0 : 16);
  const snapped = source.snapLength === 0 ? originalLength : Math.min(originalLength, source.snapLength);
  const length = simple ? snapped : u32(12);
  if (length > view.byteLength - header) {
    return failed(`packet ${number} is ${length} bytes long, but its block has ${view.byteLength - header}`);
  }
  const start = offset + header;
  return ok({
    number,
    offset: start,
    time: simple ? undefined : timeOf((BigInt(u32(4)) << 32n) | BigInt(u32(8)), source),
    linkType: source.linkType,
    data: file.subarray(start, start + length),
    originalLength,
  });
}

/**
 * Returns milliseconds since the epoch. Computes whole seconds first, because nanoseconds since 1970 exceed a double's
 * precision. Returns undefined for an invalid time, so that a damaged time does not cost the packet.
 */
function timeOf(ticks: bigint, source: Interface): number | undefined {
  const seconds = Number(ticks / source.ticksPerSecond) + source.offsetSeconds;
  const rest = Number(ticks % source.ticksPerSecond) / Number(source.ticksPerSecond);
  const time = seconds * 1000 + rest * 1000;
  return Math.abs(time) <= LAST_TIME ? time : undefined;
}
