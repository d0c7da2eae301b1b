import { describe, expect, it } from 'vitest'
import { holdsSecret, withoutSecrets } from '../../shell/secret-text.ts'

describe('secrets in texts', () => {
  it.each([
    // Where they stand on hosts.
    ['requirepass correct horse', 'requirepass (secret)'],
    ['-masterauth "correct horse"', '-masterauth (secret)'],
    [
      "Reading the configuration file, at line 1\n>>> 'requirepass horse \"x'",
      "Reading the configuration file, at line 1\n>>> 'requirepass (secret)",
    ],
    ['CONFIG SET requirepass horse', 'CONFIG SET requirepass (secret)'],
    ['user default on #5e884898da28047151d0e56f ~* +@all', 'user default (secret)'],
    ['user fleet on >horse ~* +@all', 'user fleet (secret)'],
    ['    stats auth admin:horse', '    stats auth admin:(secret)'],
    ['  user admin insecure-password horse', '  user admin insecure-password (secret)'],
    ['  user admin password $6$salt$0123456789abcdef', '  user admin password (secret)'],
    ['proxy_set_header Authorization "Basic aG9yc2U=";', 'proxy_set_header Authorization "Basic (secret)";'],
    ['http-request set-header Authorization Bearer\\ horse', 'http-request set-header Authorization Bearer\\ (secret)'],
    ['Authorization: Bearer horse.battery', 'Authorization: Bearer (secret)'],
    [
      'session.save_path = "tcp://127.0.0.1:6379?auth=horse&database=2"',
      'session.save_path = "tcp://127.0.0.1:6379?auth=(secret)&database=2"',
    ],
    ['tcp://cache1?auth[user]=a&auth[pass]=horse', 'tcp://cache1?auth[user]=(secret)&auth[pass]=(secret)'],
    ['tcp://cache1?auth%5B0%5D=horse', 'tcp://cache1?auth%5B0%5D=(secret)'],
    ['redis://fleet:horse@cache1:6379/1', 'redis://fleet:(secret)@cache1:6379/1'],
    [
      '[client]\nuser = wp\npassword = correct horse\nsocket=/run/x',
      '[client]\nuser = wp\npassword = (secret)\nsocket=/run/x',
    ],
    ['+password="correct horse"', '+password=(secret)'],
    ["$password = 'it\\'s';", '$password = (secret);'],
    ['Environment="DB_PASSWORD=correct horse" "B=c"', 'Environment="DB_PASSWORD=(secret)" "B=c"'],
    ['env[DB_PASS] = horse', 'env[DB_PASS] = (secret)'],
    ['AWS_SECRET_ACCESS_KEY=horse', 'AWS_SECRET_ACCESS_KEY=(secret)'],
    ['REDISCLI_AUTH=horse redis-cli PING', 'REDISCLI_AUTH=(secret)'],
    ['password: correct horse', 'password: (secret)'],
    ['  - api_key: horse', '  - api_key: (secret)'],
    ['"password": "horse", "user": "x"', '"password": "(secret)", "user": "x"'],
    ["define( 'DB_PASSWORD', 'it\\'s' );", "define( 'DB_PASSWORD', '(secret)' );"],
    ['define(\'AUTH_KEY\', "horse");', 'define(\'AUTH_KEY\', "(secret)");'],
    ["define('NONCE_SALT',       'horse');", "define('NONCE_SALT',       '(secret)');"],
    ["CREATE USER 'wp'@'%' IDENTIFIED BY 'horse'", "CREATE USER 'wp'@'%' IDENTIFIED BY (secret)"],
    [
      "ALTER USER wp IDENTIFIED WITH caching_sha2_password BY 'horse' REQUIRE SSL",
      'ALTER USER wp IDENTIFIED WITH caching_sha2_password BY (secret) REQUIRE SSL',
    ],
    ['mysqldump -u root -phorse wordpress', 'mysqldump -u root -p(secret) wordpress'],
    ['worker --password horse --once', 'worker --password (secret) --once'],
    ['redis-cli -h cache1 -a horse PING', 'redis-cli -h cache1 -a (secret) PING'],
    ['curl -u admin:horse http://127.0.0.1', 'curl -u admin:(secret) http://127.0.0.1'],
    ['admin:$apr1$abcdefgh$0123456789', 'admin:(secret)'],
    ['root:$y$j9T$salt$hash:19000::', 'root:(secret):19000::'],
    ['admin:{SHA}aG9yc2U=', 'admin:{SHA}(secret)'],
    [
      'a\n-----BEGIN OPENSSH PRIVATE KEY-----\nhorse\n-----END OPENSSH PRIVATE KEY-----\nb',
      'a\n-----BEGIN OPENSSH PRIVATE KEY-----(secret)-----END OPENSSH PRIVATE KEY-----\nb',
    ],
    ['-----BEGIN PRIVATE KEY-----\nhorse', '-----BEGIN PRIVATE KEY-----(secret)'],
    // As a play says them, whose line is shown beside a mistake.
    ["redisConfig({ requirepass: 'correct horse' })", "redisConfig({ requirepass: '(secret)' })"],
    ["wpConfig(path).define('DB_PASSWORD', 'horse')", "wpConfig(path).define('DB_PASSWORD', '(secret)')"],
    [".header('Authorization', 'horse')", ".header('Authorization', '(secret)')"],
    ["http('https://admin:horse@coaching.example/')", "http('https://admin:(secret)@coaching.example/')"],
    ['.environment({ DB_PASSWORD: `horse` })', '.environment({ DB_PASSWORD: `(secret)` })'],
  ])('are covered: %s', (text, told) => {
    expect(withoutSecrets(text)).toBe(told)
    // What is covered stays as it is.
    expect(withoutSecrets(told)).toBe(told)
  })

  it.each([
    'sudo asks for a password to become root.',
    "Access denied for user 'wp'@'localhost' (using password: YES)",
    'redisConfig: requirepass is or leads to a secret, which cannot stand in a play',
    'Authorization proves who asks, and a play is no place for a secret',
    'the password is wrong: see --become-password-file',
    "redisKeys('limits').passwordFile('/root/.redis-password')",
    '.my.cnf holds the password of the user, and nothing else',
    'PasswordAuthentication no',
    'password_hash = yes',
    'disable_password = true',
    'server_tokens off;',
    'DB_PASSWORD=${DB_PASSWORD}',
    'stats auth admin:"${STATS_PASSWORD}"',
    'ssl_certificate_key /etc/ssl/private/coaching.key;',
    'EnvironmentFile=/etc/worker.secret',
    'fastcgi_pass unix:/run/php/php8.2-fpm.sock;',
    'proxy_pass http://127.0.0.1:8080;',
    'user www-data;',
    'SyntaxError: Unexpected token } in JSON',
    'https://coaching.example:8443/a@b?key=1',
    'mysql -u root -e "select 1" | head -p',
    '[ -f /etc/passwd ] && echo passwd: files systemd',
  ])('are not seen where none is: %s', (text) => {
    expect(withoutSecrets(text)).toBe(text)
    expect(holdsSecret(text)).toBe(false)
  })

  it('are sought in large texts in no time', () => {
    const texts = [
      'a',
      'password',
      'password=',
      'password = "',
      "'token', '",
      '://a:',
      '-----BEGIN PRIVATE KEY-----',
      'mysql -p ',
      'identified by ',
      '[?&auth[',
      '\\"',
      'user a ',
      '$6$',
    ].map((part) => part.repeat(Math.ceil(262_144 / part.length)))
    for (const text of texts) {
      const began = performance.now()
      withoutSecrets(`token ${text}`)
      expect(performance.now() - began, text.slice(0, 20)).toBeLessThan(2000)
    }
  })
})
