// An OpenID provider that requires pushed requests, signed request objects and
// private_key_jwt, and encrypts what it answers. Reads its settings as JSON from standard
// input: {client_id, redirect_uri, jwks, id_token_alg, token_auth}. Prints its issuer.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import Provider from 'oidc-provider';

let input = '';
process.stdin.setEncoding('utf8');
process.stdin.on('end', () => process.exit(0)); // the test has ended
const settings = await new Promise((resolve) => {
  process.stdin.on('data', (part) => {
    input += part;
    if (input.endsWith('\n')) resolve(JSON.parse(input));
  });
});

const key = (alg, type, options) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: alg });
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const enc = { alg: settings.encryption, enc: 'A256GCM' };
  const provider = new Provider(issuer, {
    jwks: { keys: [key('ES256', 'ec', { namedCurve: 'P-256' }), key('RS256', 'rsa', { modulusLength: 2048 })] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    clients: [{
      client_id: settings.client_id,
      redirect_uris: [settings.redirect_uri],
      response_types: ['code'],
      grant_types: ['authorization_code'],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: settings.signing,
      request_object_signing_alg: settings.signing,
      require_signed_request_object: true,
      require_pushed_authorization_requests: true,
      id_token_signed_response_alg: 'ES256',
      id_token_encrypted_response_alg: enc.alg,
      id_token_encrypted_response_enc: enc.enc,
      userinfo_signed_response_alg: 'ES256',
      userinfo_encrypted_response_alg: enc.alg,
      userinfo_encrypted_response_enc: enc.enc,
      jwks: settings.jwks,
    }],
    scopes: ['openid', 'profile', 'bpid'],
    claims: { openid: ['sub'], profile: ['name'], bpid: ['bp_id_sub'], acr: null, amr: null, auth_time: null, iss: null },
    acrValues: ['urn:example:high', 'urn:example:low'],
    subjectTypes: ['public'],
    pkce: { required: () => true },
    enabledJWA: {
      clientAuthSigningAlgValues: ['ES256', 'PS256'],
      requestObjectSigningAlgValues: ['ES256', 'PS256'],
    },
    features: {
      devInteractions: { enabled: false },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
      requestObjects: { enabled: true, requireSignedRequestObject: true },
      encryption: { enabled: true },
      jwtUserinfo: { enabled: true },
    },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: 'Kari Prøve', bp_id_sub: '900000001' }) }),
    interactions: { url: (_, interaction) => `/login/${interaction.uid}` },
  });
  server.on('request', async (request, response) => {
    if (!request.url.startsWith('/login/')) return provider.callback()(request, response);
    try {
      const { prompt, params, session } = await provider.interactionDetails(request, response);
      if (prompt.name === 'login') {
        if (request.method !== 'POST') {
          response.setHeader('Content-Type', 'text/html; charset=utf-8');
          return response.end('<!doctype html><title>Log in</title><form method="post"><button name="who" value="kari">Kari</button> <button name="who" value="">Cancel</button></form>');
        }
        if (new URLSearchParams(await text(request)).get('who') !== 'kari') {
          return await provider.interactionFinished(request, response, { error: 'access_denied' });
        }
        return await provider.interactionFinished(request, response, { login: { accountId: 'kari', acr: settings.acr, amr: ['sc'] } });
      }
      const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
      grant.addOIDCScope(params.scope);
      return await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
    } catch (error) {
      response.statusCode = 400;
      return response.end(String(error));
    }
  });
  console.log(issuer);
});
