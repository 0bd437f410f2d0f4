// Answers one JSON list of requests with one JSON list of results, using somebody else's age.
import { Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from "age-encryption";

const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const text = (raw) => Buffer.from(raw).toString("base64");

const answers = {
  async recipient({ identity }) {
    return identityToRecipient(identity);
  },
  async identity() {
    return generateHybridIdentity();
  },
  async encrypt({ recipients = [], passphrase, logN, data }) {
    const encrypter = new Encrypter();
    recipients.forEach((recipient) => encrypter.addRecipient(recipient));
    if (passphrase) {
      encrypter.setPassphrase(passphrase);
      encrypter.setScryptWorkFactor(logN);
    }
    return text(await encrypter.encrypt(bytes(data)));
  },
  async decrypt({ identity, passphrase, data }) {
    const decrypter = new Decrypter();
    if (identity) decrypter.addIdentity(identity);
    if (passphrase) decrypter.addPassphrase(passphrase);
    try {
      return text(await decrypter.decrypt(bytes(data)));
    } catch (error) {
      return { error: String(error.message) };
    }
  },
};

let input = "";
for await (const chunk of process.stdin) input += chunk;
const results = [];
for (const request of JSON.parse(input)) results.push(await answers[request.do](request));
process.stdout.write(JSON.stringify(results));
