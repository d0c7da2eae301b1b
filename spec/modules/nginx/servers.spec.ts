import { describe, expect, it } from 'vitest'
import { serversOf } from '../../../modules/nginx/servers.ts'

describe('serversOf()', () => {
  it('reads names and ports through comments, quotes and blocks', () => {
    const text = `# server { server_name commented; }
upstream php { server unix:/run/php.sock; server 10.0.0.1:9000; }
server {
  listen 443 ssl; listen [::]:443 ssl; # server_name not.this;
  server_name Coaching.example "www.coaching.example";
  location ~ "^/a{2};}$" { return 200 'server { listen 1; }'; }
  if ($host = x) { return 301 https://\${host}/; }
}
server { listen 10.0.0.1; server_name a; }
server { listen 10.0.0.1:8080 default_server; listen unix:/run/x.sock; server_name b; }
server { listen unix:/run/x.sock; server_name c; }
server { server_name d; }`
    expect(serversOf('/f', text)).toEqual([
      { file: '/f', names: ['coaching.example', 'www.coaching.example'], ports: [443] },
      { file: '/f', names: ['a'], ports: [80] },
      { file: '/f', names: ['b'], ports: [8080] },
      { file: '/f', names: ['c'], ports: [] },
      { file: '/f', names: ['d'], ports: [80] },
    ])
  })

  it('makes nothing of what is torn', () => {
    expect(serversOf('/f', 'server { listen 443; server_name a')).toEqual([])
    expect(serversOf('/f', '} } "')).toEqual([])
  })
})
