// Opens the pages in Chromium and writes what is on them as JSON.
//
// CHROMIUM=… PLAYWRIGHT=…/index.mjs node pages.mjs URL LOGIN PASSWORD
const { chromium } = await import(process.env.PLAYWRIGHT);
const [url, login, password] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
  const hosts = new Set();
  const errors = [];
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(url + '/');
  await page.fill('input[name=login]', login);
  await page.fill('input[name=password]', password);
  await Promise.all([
    page.waitForURL((address) => !address.pathname.startsWith('/login')),
    page.press('input[name=password]', 'Enter'),
  ]);
  await page.goto(url + '/devices');
  const links = await page.$$eval('table a[href^="/devices/"]', (found) => found.map((link) => link.getAttribute('href')));
  const devices = [...new Set(links)];
  await page.goto(url + devices[0]);
  const text = await page.innerText('main');
  console.log(JSON.stringify({ devices, device: devices[0], text, hosts: [...hosts], errors }));
} finally {
  await browser.close();
}
