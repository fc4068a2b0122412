// Certificates for the tests, which have signed themselves.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const directory = mkdtempSync(path.join(tmpdir(), 'socketless-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

// The files of a certificate for a name, 'DNS:localhost' say, and of its key. They are there until the process ends.
export function certify(name) {
    const [cert, key] = ['cert', 'key'].map((kind) => path.join(directory, `${name}.${kind}.pem`));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc',
        '-subj', '/CN=socketless', '-addext', `subjectAltName=${name}`, '-out', cert, '-keyout', key,
    ], { stdio: 'pipe' });
    return { cert, key };
}
