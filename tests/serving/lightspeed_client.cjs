// Asks one question with lightspeed's own client, and prints as JSON all that a page would see.
//
//   node lightspeed_client.cjs DIRECTORY URL
//
// DIRECTORY is where the client is installed, URL the server's.
const { createRequire } = require("node:module");
const { join } = require("node:path");

const [directory, baseUrl] = process.argv.slice(2);
const installed = createRequire(join(directory, "package.json"));
const { LightspeedClient } = installed("@redhat-cloud-services/lightspeed-client");

const seen = { chunks: [], warnings: [], errors: [] };
console.warn = (...said) => seen.warnings.push(said.map(String));
console.error = (...said) => seen.errors.push(said.map(String));

async function ask() {
  const client = new LightspeedClient({ baseUrl });
  return client.sendMessage("__temp_lightspeed_conversation__", "What is Ansible?", {
    stream: true,
    handleChunk: (chunk) => seen.chunks.push(chunk.answer),
  });
}

ask().then(
  (result) => print({ ...seen, result }),
  ({ name, message, status }) => print({ ...seen, thrown: { name, message, status } }),
);

function print(value) {
  process.stdout.write(JSON.stringify(value));
}
