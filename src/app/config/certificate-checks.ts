/** Whether the server can use the certificates that prefixd.yaml names. Reads them. */
import { resolve } from 'node:path';
import { errorText } from '../../net/text.ts';
import { loadTls } from '../../http/listener.ts';
import { withoutExtensions } from './extensions.ts';
import { refuseSpecialFile } from './regular-file.ts';
import { parsePartial } from './salvage.ts';
import { settingsSchema } from './schema.ts';
import type { ConfigProblem } from './types.ts';
import type { YamlSource } from './yaml.ts';

/** What is wrong with the files of `http.tls`, which are relative to `folder`; nothing where no TLS is configured. */
export async function certificateProblems(
  settings: YamlSource,
  folder: string,
): Promise<readonly ConfigProblem[]> {
  const tls = parsePartial(settingsSchema, withoutExtensions(settings, settingsSchema).value)?.http?.tls;
  // Without either path the schema has said so.
  if (tls?.cert_path === undefined || tls.key_path === undefined) return [];
  const paths = {
    certPath: resolve(folder, tls.cert_path),
    keyPath: resolve(folder, tls.key_path),
    caPath: tls.ca_path === undefined ? null : resolve(folder, tls.ca_path),
  };
  try {
    for (const path of Object.values(paths)) {
      if (path === null) continue;
      await refuseSpecialFile(path).catch((error: unknown) => {
        throw new Error(`${path}: ${errorText(error)}`);
      });
    }
    await loadTls(paths);
    return [];
  } catch (error) {
    const message = errorText(error);
    const fix = 'name PEM files that this user may read and that belong together';
    return [
      { file: settings.file, ...settings.place(['http', 'tls'], 'value'), path: 'http.tls', message, fix },
    ];
  }
}
