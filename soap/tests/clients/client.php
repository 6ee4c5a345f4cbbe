<?php
// Calls the service with PHP's SoapClient and writes what it understood, one line each, as tests/peers.rs expects it.
//
// client.php URL basic|wsse soap11|soap12 LOGIN PASSWORD
[, $url, $loginBy, $version, $login, $password] = $argv;
ini_set('soap.wsdl_cache_enabled', '0');
$options = [
    'soap_version' => $version === 'soap12' ? SOAP_1_2 : SOAP_1_1,
    'exceptions' => true,
    'cache_wsdl' => WSDL_CACHE_NONE,
    'connection_timeout' => 20,
];
if ($loginBy === 'basic') {
    $options += ['login' => $login, 'password' => $password];
}
$client = new SoapClient($url . '/soap/v1?wsdl', $options);
if ($loginBy === 'wsse') {
    $wsse = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd';
    $text = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText';
    $xml = '<w:Security xmlns:w="' . $wsse . '"><w:UsernameToken><w:Username>' . htmlspecialchars($login)
        . '</w:Username><w:Password Type="' . $text . '">' . htmlspecialchars($password) . '</w:Password></w:UsernameToken></w:Security>';
    $client->__setSoapHeaders(new SoapHeader($wsse, 'Security', new SoapVar($xml, XSD_ANYXML), true));
}

function shown($value): string
{
    return match (true) {
        $value === null => '-',
        is_bool($value) => $value ? 'true' : 'false',
        default => (string) $value,
    };
}

function line(string $kind, object $item, string $names): void
{
    $values = array_map(fn ($name) => shown($item->$name ?? null), explode(' ', $names));
    echo implode("\t", [$kind, ...$values]), "\n";
}

// PHP makes an object of a list of one: the count says what it was.
function listed(object $wrapper, string $name): array
{
    $items = $wrapper->$name ?? [];
    $items = is_array($items) ? $items : [$items];
    if ($wrapper->count !== count($items)) {
        throw new Exception("count is {$wrapper->count}, not " . count($items));
    }
    return $items;
}

line('info', $client->GetServiceInfo(), 'serviceName apiVersion login branchName pageItemsMax');
foreach (listed($client->ListCustomers()->sites, 'site') as $site) {
    line('site', $site, 'customerNo customerName siteName siteTimeZone');
}
foreach (listed($client->ListAgents()->agents, 'agent') as $agent) {
    line('agent', $agent, 'agentId agentName disabled deviceCount');
}
foreach (listed($client->ListDevices()->devices, 'device') as $device) {
    line('device', $device, 'deviceId serialNo model location customerNo contractNo costCentre siteName silent firstSeenAt');
}
echo "meters\t", count(listed($client->ListMeterTypes()->meterTypes, 'meterType')), "\n";

$cursor = null;
do {
    $asked = ['basis' => 'billing', 'max' => 5] + ($cursor === null ? [] : ['cursor' => $cursor]);
    $page = $client->GetMeterReadings($asked);
    foreach (listed($page->readings, 'reading') as $reading) {
        line('reading', $reading, 'readingId deviceId serialNo meterCode value continuousValue observedAt quality basis contractNo');
    }
    $cursor = $page->nextCursor;
} while ($page->more);
$again = $client->GetMeterReadings(['cursor' => $cursor, 'basis' => 'billing']);
echo "again\t{$again->readings->count}\t", $again->nextCursor === $cursor ? 'same' : $again->nextCursor, "\n";

$asked = ['cutoff' => '2026-11-21T01:00:00+01:00', 'meterCode' => 'total.total.impressions'];
foreach (listed($client->GetBillingReadings($asked)->billingReadings, 'billingReading') as $reading) {
    line('billing', $reading, 'deviceId meterCode value readAt ageHours quality');
}

try {
    $client->GetMeterReadings(['cursor' => 'nonsense']);
    echo "fault\tnone\n";
} catch (SoapFault $fault) {
    $side = explode(':', $fault->faultcode);
    echo "fault\t", end($side), "\t", $fault->detail->serviceFault->code, "\n";
}
