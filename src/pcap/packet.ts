/** What both capture formats come to: packets, and what was wrong with the file. */

/** One captured frame. */
export interface Packet {
  /** 1 for the first packet of the file, as tcpdump and Wireshark count. */
  readonly number: number;
  /** Where `data` begins in the file, in octets. */
  readonly offset: number;
  /** Milliseconds since the epoch with a fraction (good to a microsecond); null when the file does not say. */
  readonly time: number | null;
  /** LINKTYPE_ value of the interface, such as 1 for Ethernet. */
  readonly linkType: number;
  /** What was kept of the frame: a view on the file. */
  readonly data: Uint8Array;
  /** Length of the frame on the wire; more than `data.length` when a snap length cut it. */
  readonly originalLength: number;
}

/** What a file holds. `problems` name the packet number and the offset in the file. */
export interface Capture {
  readonly packets: readonly Packet[];
  readonly problems: readonly string[];
}
