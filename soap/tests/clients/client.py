"""Calls the service with zeep and writes what it understood, one line each, as tests/peers.rs expects it.

client.py URL basic|wsse soap11|soap12 LOGIN PASSWORD
"""

import sys
from datetime import datetime, timezone

import zeep
from requests import Session
from requests.auth import HTTPBasicAuth
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

url, login_by, version, login, password = sys.argv[1:]
session = Session()
session.trust_env = False
wsse = None
if login_by == "basic":
    session.auth = HTTPBasicAuth(login.encode(), password.encode())
else:
    wsse = UsernameToken(login, password)
client = zeep.Client(url + "/soap/v1?wsdl", transport=Transport(session=session, timeout=20), wsse=wsse)
port = {"soap11": "PlatenSoap11", "soap12": "PlatenSoap12"}[version]
service = client.bind("PlatenService", port)


def shown(value):
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        assert value.tzinfo is not None, value
        value = value.astimezone(timezone.utc)
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (value.microsecond // 1000)
    return str(value)


def line(kind, item, names):
    print("\t".join([kind] + [shown(item[name]) for name in names.split()]))


def listed(wrapper, name):
    items = wrapper[name] or []
    assert wrapper["count"] == len(items), wrapper
    return items


line("info", service.GetServiceInfo(), "serviceName apiVersion login branchName pageItemsMax")
for site in listed(service.ListCustomers(), "site"):
    line("site", site, "customerNo customerName siteName siteTimeZone")
for agent in listed(service.ListAgents(), "agent"):
    line("agent", agent, "agentId agentName disabled deviceCount")
for device in listed(service.ListDevices()["devices"], "device"):
    line("device", device, "deviceId serialNo model location customerNo contractNo costCentre siteName silent firstSeenAt")
print("meters\t%d" % len(listed(service.ListMeterTypes(), "meterType")))

cursor = None
while True:
    page = service.GetMeterReadings(cursor=cursor, basis="billing", max=5)
    for reading in listed(page["readings"], "reading"):
        line("reading", reading, "readingId deviceId serialNo meterCode value continuousValue observedAt quality basis contractNo")
    cursor = page["nextCursor"]
    if not page["more"]:
        break
again = service.GetMeterReadings(cursor=cursor, basis="billing")
print("again\t%d\t%s" % (again["readings"]["count"], "same" if again["nextCursor"] == cursor else again["nextCursor"]))

cutoff = datetime(2026, 11, 21, 0, 0, tzinfo=timezone.utc)
for reading in listed(service.GetBillingReadings(cutoff=cutoff, meterCode="total.total.impressions")["billingReadings"], "billingReading"):
    line("billing", reading, "deviceId meterCode value readAt ageHours quality")

try:
    service.GetMeterReadings(cursor="nonsense")
    print("fault\tnone")
except zeep.exceptions.Fault as fault:
    detail = fault.detail.find("{urn:platen:soap:v1}serviceFault/{urn:platen:soap:v1}code")
    if detail is None:
        detail = fault.detail.find(".//{urn:platen:soap:v1}code")
    print("fault\t%s\t%s" % (fault.code.split(":")[-1], detail.text))
