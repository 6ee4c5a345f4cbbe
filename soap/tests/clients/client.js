// Calls the service with npm's soap and writes what it understood, one line each, as tests/peers.rs expects it.
//
// client.js URL basic|wsse soap11|soap12 LOGIN PASSWORD
const soap = require('soap');

const [url, loginBy, version, login, password] = process.argv.slice(2);

function shown(value) {
  if (value === undefined || value === null) return '-';
  if (value instanceof Date) return value.toISOString();
  return String(value);
}

function line(kind, item, names) {
  console.log([kind, ...names.split(' ').map((name) => shown(item[name]))].join('\t'));
}

function listed(wrapper, name) {
  const items = [].concat(wrapper[name] ?? []);
  if (wrapper.count !== items.length) throw new Error(`count is ${wrapper.count}, not ${items.length}`);
  return items;
}

async function main() {
  const soap12 = version === 'soap12';
  const client = await soap.createClientAsync(`${url}/soap/v1?wsdl`, { forceSoap12Headers: soap12 });
  client.setSecurity(
    loginBy === 'basic'
      ? new soap.BasicAuthSecurity(login, password)
      : new soap.WSSecurity(login, password, { hasNonce: false, hasTimeStamp: true, passwordType: 'PasswordText' }),
  );
  const port = client.PlatenService[soap12 ? 'PlatenSoap12' : 'PlatenSoap11'];
  const call = (operation, args = {}) =>
    new Promise((resolve, reject) => {
      port[operation](args, (error, result) => (error ? reject(error) : resolve(result)));
    });

  line('info', await call('GetServiceInfo'), 'serviceName apiVersion login branchName pageItemsMax');
  for (const site of listed((await call('ListCustomers')).sites, 'site')) {
    line('site', site, 'customerNo customerName siteName siteTimeZone');
  }
  for (const agent of listed((await call('ListAgents')).agents, 'agent')) {
    line('agent', agent, 'agentId agentName disabled deviceCount');
  }
  for (const device of listed((await call('ListDevices')).devices, 'device')) {
    line('device', device, 'deviceId serialNo model location customerNo contractNo costCentre siteName silent firstSeenAt');
  }
  console.log(`meters\t${listed((await call('ListMeterTypes')).meterTypes, 'meterType').length}`);

  let cursor;
  for (;;) {
    const page = await call('GetMeterReadings', { ...(cursor && { cursor }), basis: 'billing', max: 5 });
    for (const reading of listed(page.readings, 'reading')) {
      line('reading', reading, 'readingId deviceId serialNo meterCode value continuousValue observedAt quality basis contractNo');
    }
    cursor = page.nextCursor;
    if (!page.more) break;
  }
  const again = await call('GetMeterReadings', { cursor, basis: 'billing' });
  console.log(`again\t${again.readings.count}\t${again.nextCursor === cursor ? 'same' : again.nextCursor}`);

  const asked = { cutoff: '2026-11-21T00:00:00Z', meterCode: 'total.total.impressions' };
  for (const reading of listed((await call('GetBillingReadings', asked)).billingReadings, 'billingReading')) {
    line('billing', reading, 'deviceId meterCode value readAt ageHours quality');
  }

  try {
    await call('GetMeterReadings', { cursor: 'nonsense' });
    console.log('fault\tnone');
  } catch (error) {
    const fault = error.root.Envelope.Body.Fault;
    const side = soap12 ? fault.Code.Value : fault.faultcode;
    const detail = soap12 ? fault.Detail : fault.detail;
    console.log(`fault\t${side.split(':').pop()}\t${detail.serviceFault.code}`);
  }
}

main().catch((error) => {
  console.error(error.body ?? error);
  process.exit(1);
});
