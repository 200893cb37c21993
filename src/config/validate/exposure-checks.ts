/**
 * Finds exposures on this machine: keys that others can read, files that others can write, weak or expired
 * certificates.
 */
import { X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { loadTls } from '../../http/http-listener.ts';
import { errorText } from '../../net/text.ts';
import { findingsIn } from '../assemble.ts';
import { LIMITS } from '../file-limits.ts';
import { type DeepPartial, validParts } from '../parse-partial.ts';
import type { Path, ConfigReport } from '../config-problem.ts';
import { readRegularFile, refuseSpecialFile } from '../regular-file.ts';
import { type Settings, settingsSchema } from '../schema/prefixd-schema.ts';
import { DEFAULT_STORAGE } from '../schema/storage-schema.ts';
import type { ConfigProblem } from '../types.ts';
import { usersFileExposure } from '../users-file.ts';
import type { YamlSource } from '../yaml/yaml.ts';

/** Warns this long before a certificate expires (ms). */
const SOON_MS = 14 * 24 * 60 * 60 * 1000;
/** Minimum key lengths in bits (RFC 9325 §4.5). */
const LEAST_RSA_BITS = 2048;
const LEAST_CURVE_BITS = 224;

/** Permissions of users other than the owner and its group. */
const OTHERS_READ = 0o004;
const OTHERS_WRITE = 0o002;

/** Returns warnings about files that prefixd.yaml names, relative to `folder`. Ignores missing files. */
export async function exposureWarnings(
  settings: YamlSource,
  folder: string,
  now: number = Date.now(),
): Promise<readonly ConfigProblem[]> {
  const loose = validParts(settingsSchema, settings) ?? {};
  const warnings: ConfigProblem[] = [];
  const findings = findingsIn(settings, { problems: [], warnings });
  const { warning } = findings;
  await keyExposures(loose, folder, warning);
  await usersFileExposure(settings, folder, findings);
  await certificateExposures(loose, folder, now, warning);
  await writableExposures(loose, folder, warning);
  return warnings;
}

async function keyExposures(
  settings: DeepPartial<Settings>,
  folder: string,
  warn: ConfigReport,
): Promise<void> {
  const name = settings.http?.tls?.key_path;
  if (name === undefined || !(await mayOthers(OTHERS_READ | OTHERS_WRITE, resolve(folder, name)))) return;
  const message = `every user of this machine can read or change the private key ${name}`;
  warn(['http', 'tls', 'key_path'], message, "chmod 600 the file, owned by the daemon's user");
}

/** Warns about the daemon's own certificate and its clients' CA. */
async function certificateExposures(
  settings: DeepPartial<Settings>,
  folder: string,
  now: number,
  warn: ConfigReport,
): Promise<void> {
  for (const key of ['cert_path', 'ca_path'] as const) {
    const name = settings.http?.tls?.[key];
    if (name === undefined) continue;
    const certificate = await readCertificate(resolve(folder, name));
    if (certificate === undefined) continue;
    for (const flaw of flawsOf(certificate, now)) {
      warn(['http', 'tls', key], `the certificate in ${name} ${flaw}`, 'replace it and reload');
    }
  }
}

/** Reads a certificate; undefined if it is unreadable, which another check reports. */
async function readCertificate(path: string): Promise<X509Certificate | undefined> {
  try {
    return new X509Certificate(await readRegularFile(path, LIMITS.certificateBytes));
  } catch {
    return undefined;
  }
}

function flawsOf({ validFrom, validTo, publicKey }: X509Certificate, now: number): readonly string[] {
  const flaws: string[] = [];
  const until = Date.parse(validTo);
  if (now > until) flaws.push(`expired at ${validTo}: clients that verify it refuse this server`);
  else if (until - now < SOON_MS) flaws.push(`expires at ${validTo}`);
  if (now < Date.parse(validFrom)) flaws.push(`is not valid before ${validFrom}`);
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined && modulusLength < LEAST_RSA_BITS) {
    flaws.push(`is weak: its key has ${modulusLength} bits, fewer than ${LEAST_RSA_BITS}`);
  }
  const curveBits = Number(/(\d{3})/.exec(namedCurve ?? '')?.[1] ?? Number.NaN);
  if (curveBits < LEAST_CURVE_BITS) flaws.push(`is weak: its key uses the curve ${namedCurve}`);
  return flaws;
}

/** Warns about folders that others can write: they could replace files in them, whatever the files' permissions. */
async function writableExposures(
  settings: DeepPartial<Settings>,
  folder: string,
  warn: ConfigReport,
): Promise<void> {
  const data = resolve(folder, settings.storage?.path ?? DEFAULT_STORAGE);
  const audit = settings.observability?.audit_log_path;
  const usesFolder = settings.storage?.driver !== 'postgres';
  const folders = new Map<string, Path>(usesFolder ? [[data, ['storage', 'path']]] : []);
  if (audit !== undefined) {
    const at = dirname(resolve(folder, audit));
    if (!folders.has(at)) folders.set(at, ['observability', 'audit_log_path']);
  }
  for (const [at, path] of folders) {
    if (!(await mayOthers(OTHERS_WRITE, at))) continue;
    const message = `every user of this machine can write to ${at} and so change the daemon's data`;
    warn(path, message, "chmod 700 the folder, owned by the daemon's user");
  }
  if (await mayOthers(OTHERS_WRITE, folder)) {
    const message = `every user of this machine can write to ${folder} and so change the configuration`;
    warn([], message, 'chmod o-w the folder');
  }
}

/** True if users other than the owner and its group have one of these permissions. */
async function mayOthers(permissions: number, path: string): Promise<boolean> {
  try {
    return ((await stat(path)).mode & permissions) !== 0;
  } catch {
    // The daemon creates missing files for its own user only; files that it cannot inspect, others cannot reach either.
    return false;
  }
}

// Certificates that the server cannot use.

/** Loads the files of `http.tls`, relative to `folder`, and returns the problems; none if TLS is not configured. */
export async function certificateProblems(
  settings: YamlSource,
  folder: string,
): Promise<readonly ConfigProblem[]> {
  const tls = validParts(settingsSchema, settings)?.http?.tls;
  // The schema reports a missing path.
  if (tls?.cert_path === undefined || tls.key_path === undefined) return [];
  const paths = {
    certPath: resolve(folder, tls.cert_path),
    keyPath: resolve(folder, tls.key_path),
    caPath: tls.ca_path === undefined ? undefined : resolve(folder, tls.ca_path),
  };
  try {
    for (const path of Object.values(paths)) {
      if (path === undefined) continue;
      await refuseSpecialFile(path).catch((error: unknown) => {
        throw new Error(`${path}: ${errorText(error)}`);
      });
    }
    await loadTls(paths);
    return [];
  } catch (error) {
    const message = errorText(error);
    const fix = 'use PEM files that this user can read and that belong together';
    return [
      { file: settings.file, ...settings.place(['http', 'tls'], 'value'), path: 'http.tls', message, fix },
    ];
  }
}
