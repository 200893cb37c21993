/** A registry with short ways to make the kinds of metrics that this daemon has. */
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

/** Label values and a figure. */
export type GaugeReading<Label extends string> = readonly [labels: Record<Label, string>, value: number];

/** Quantiles that somebody else keeps, with the sum and the number of all observations since the start. */
export interface SummaryReading {
  readonly quantiles: readonly (readonly [quantile: number, value: number])[];
  readonly sum: number;
  readonly count: number;
}

/** A summary that is read when it is scraped; prom-client's own keeps every observation itself. */
class ReadSummary extends Summary {
  readonly #name: string;
  readonly #read: () => SummaryReading;

  constructor(name: string, help: string, registry: Registry, read: () => SummaryReading) {
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

  /** `buckets` in ascending order, in the unit of the name. */
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

  /** A gauge that is read when it is scraped. */
  gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    read: () => Iterable<GaugeReading<Label>>,
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

  /** The same for a total that somebody else counts. */
  total<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    read: () => Iterable<GaugeReading<Label>>,
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

  /** A summary that is read when it is scraped. */
  summary(name: string, help: string, read: () => SummaryReading): void {
    new ReadSummary(name, help, this.registry, read);
  }

  /**
   * What prom-client knows of the process and of Node, except the gauges that it names `_total`: the suffix is for counters
   * (`promtool check metrics` says so), and each of them is the sum of a metric with labels that is there too.
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
