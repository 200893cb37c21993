/** Defines a webhook's mapping as it is written in prefixd.yaml: plain data, checked by `compileAdapter`. */

/** The fields of an event that a webhook can map, in the order in which they are shown. */
export const MAPPED_FIELDS = [
  'source',
  'event_id',
  'timestamp',
  'action',
  'victim_ip',
  'victim_prefix',
  'vector',
  'protocol',
  'bps',
  'pps',
  'confidence',
  'top_dst_ports',
  'top_src_ports',
  'tcp_flags',
] as const;

export type MappedField = (typeof MAPPED_FIELDS)[number];

/** A value that a mapping can name. */
export type MappedValue = string | number | boolean;

/** How one field is read from a document. */
export interface FieldSettings {
  /** JSONPath queries (RFC 9535); the first one that gives a value is used. */
  readonly path?: string | readonly string[] | undefined;
  /** The value itself, instead of a path. */
  readonly constant?: MappedValue | undefined;
  /** Divides a text into several values. */
  readonly split?: string | undefined;
  /** Values by the sender's words. */
  readonly map?: Readonly<Record<string, MappedValue>> | undefined;
  /** Values by regular expressions; the first that matches is used. */
  readonly match?: readonly (readonly [pattern: string, value: MappedValue])[] | undefined;
  /** Factor on a number. */
  readonly scale?: number | undefined;
  /** Unit of a rate, such as `kbit/s`. */
  readonly unit?: string | undefined;
  /** Form of a time, such as `YYYY-MM-DD HH:mm:ss UTC`. */
  readonly format?: string | undefined;
  /** The value if there is none, or if neither `map` nor `match` knows it. */
  readonly otherwise?: MappedValue | undefined;
}

/** A webhook's mapping. A text that begins with `$` is a path, any other text a constant. */
export type AdapterSettings = { readonly each: string } & {
  readonly [Field in MappedField]?: string | FieldSettings | undefined;
};

/** A defect of a mapping. `path`: keys and indices below the webhook. */
export interface AdapterProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly fix: string;
}
