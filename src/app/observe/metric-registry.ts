/** Wraps prom-client's registry with short constructors for this daemon's kinds of metrics. */
import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type MetricObjectWithValues,
  type MetricValueWithName,
  Registry,
  Summary,
} from 'prom-client';

/** Label values and a value. */
export type GaugeSample<Label extends string> = readonly [labels: Record<Label, string>, value: number];

/** Quantiles from another source, with the sum and count of all observations since the start. */
export interface SummarySample {
  readonly quantiles: readonly (readonly [quantile: number, value: number])[];
  readonly sum: number;
  readonly count: number;
}

/** A summary that is read at each scrape; prom-client's own class would store every observation. */
class ReadSummary extends Summary {
  readonly #name: string;
  readonly #read: () => SummarySample;

  constructor(name: string, help: string, registry: Registry, read: () => SummarySample) {
    super({ name, help, registers: [registry] });
    this.#name = name;
    this.#read = read;
  }

  override async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const { quantiles, sum, count } = this.#read();
    const values: MetricValueWithName<string>[] = [
      ...quantiles.map(([quantile, value]) => ({ labels: { quantile }, value })),
      { metricName: `${this.#name}_sum`, labels: {}, value: sum },
      { metricName: `${this.#name}_count`, labels: {}, value: count },
    ];
    return { ...(await super.get()), values };
  }
}

export class MetricRegistry {
  readonly registry = new Registry();

  counter<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
  ): Counter<Label> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  /** Creates a histogram. `buckets`: in ascending order, in the name's unit. */
  histogram<Label extends string>(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly Label[] = [],
  ): Histogram<Label> {
    return new Histogram({
      name,
      help,
      buckets: [...buckets],
      labelNames: [...labelNames],
      registers: [this.registry],
    });
  }

  /** Creates a gauge that is read at each scrape. */
  gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    read: () => Iterable<GaugeSample<Label>>,
  ): void {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }

  /** Creates a counter that is read at each scrape from a total counted elsewhere. */
  total<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    read: () => Iterable<GaugeSample<Label>>,
  ): void {
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  }

  /** Creates a summary that is read at each scrape. */
  summary(name: string, help: string, read: () => SummarySample): void {
    new ReadSummary(name, help, this.registry, read);
  }

  /**
   * Adds prom-client's metrics of the process and of Node, except the gauges that it names `_total`: the suffix is for
   * counters (`promtool check metrics` reports it), and each of them only repeats the sum of another metric with
   * labels.
   */
  addProcessMetrics(): void {
    collectDefaultMetrics({ register: this.registry });
    for (const metric of this.registry.getMetricsAsArray()) {
      if (metric instanceof Gauge && metric.name.endsWith('_total')) {
        this.registry.removeSingleMetric(metric.name);
      }
    }
  }
}
