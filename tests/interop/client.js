// A client by node-opcua at the simulated plant; prints what it found as one JSON object.
// usage: node client.js ENDPOINT POLICY FOLDER
// With `certificate` for ENDPOINT it only makes its certificate and prints where it is.
"use strict";
const path = require("path");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const {
    AttributeIds, DataType, MessageSecurityMode, OPCUAClient, SecurityPolicy,
    TimestampsToReturn,
} = require("node-opcua-client");

const [endpoint, policy, folder] = process.argv.slice(2);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Retry for as long as the plant may need to come back.
async function patiently(work, seconds) {
    const until = Date.now() + 1000 * seconds;
    for (;;) {
        try {
            return await work();
        } catch (fault) {
            if (Date.now() > until) throw fault;
            await sleep(200);
        }
    }
}

// A connected client with a session, and the few things that are asked of it.
async function open(certificates) {
    const secured = policy !== "None";
    const client = OPCUAClient.create({
        applicationName: "interop",
        securityPolicy: SecurityPolicy[policy],
        securityMode: secured ? MessageSecurityMode.SignAndEncrypt : MessageSecurityMode.None,
        clientCertificateManager: certificates,
        endpointMustExist: false,
        connectionStrategy: { maxRetry: 0, initialDelay: 200, maxDelay: 500 },
    });
    if (endpoint === "certificate") {
        await client.createDefaultCertificate();
        return { client };
    }
    await client.connect(endpoint);
    const session = await client.createSession();
    const namespaces = await session.readNamespaceArray();
    const index = namespaces.indexOf("urn:neurotwin:plant");
    const id = (tag) => `ns=${index};s=${tag}`;
    const value = async (tag) => {
        const read = await session.read({ nodeId: id(tag), attributeId: AttributeIds.Value });
        return { value: read.value.value, status: read.statusCode.name, time: read.sourceTimestamp };
    };
    const write = async (tag, dataType, written) => {
        const status = await session.write({
            nodeId: id(tag),
            attributeId: AttributeIds.Value,
            value: { value: { dataType: DataType[dataType], value: written } },
        });
        return status.name;
    };
    const advance = async (seconds) => {
        const answer = await session.call({
            objectId: id("SIMULATION"),
            methodId: id("SIMULATION.ADVANCE"),
            inputArguments: [{ dataType: DataType.Double, value: seconds }],
        });
        return answer.statusCode.name;
    };
    return { client, session, namespaces, id, value, write, advance };
}

// Subscribe to a tag, let process time go on, and count what is told.
async function notified(at, tag) {
    const subscription = await at.session.createSubscription2({
        requestedPublishingInterval: 100, requestedLifetimeCount: 1000, requestedMaxKeepAliveCount: 10,
        publishingEnabled: true, maxNotificationsPerPublish: 0, priority: 1,
    });
    let told = 0;
    const item = await subscription.monitor(
        { nodeId: at.id(tag), attributeId: AttributeIds.Value },
        { samplingInterval: 50, discardOldest: true, queueSize: 10 },
        TimestampsToReturn.Both,
    );
    item.on("changed", () => { told += 1; });
    await patiently(async () => { if (told < 1) throw new Error("no first value"); }, 20);
    await at.advance(300.0);
    await patiently(async () => { if (told < 2) throw new Error("no notification"); }, 20);
    return told;
}

async function main() {
    const certificates = new OPCUACertificateManager({
        rootFolder: path.join(folder, "pki"),
        automaticallyAcceptUnknownCertificate: true,
    });
    await certificates.initialize();
    const at = await open(certificates);
    if (endpoint === "certificate") {
        console.log(JSON.stringify({ certificate: at.client.certificateFile }));
        return;
    }
    const found = { namespaces: at.namespaces };
    found.before = await at.value("AIC102.PV");
    found.members = (await at.session.browse({ nodeId: at.id("AIC102.PV") })).references.map((r) => r.browseName.name);
    found.write = await at.write("FIC201.SP", "Double", 0.04);
    found.written = (await at.value("FIC201.SP")).value;
    found.outOfRange = await at.write("FIC201.SP", "Double", 99.0);
    found.wrongType = await at.write("FIC201.SP", "String", "much");
    found.readOnly = await at.write("AIC102.PV", "Double", 50.0);
    found.afterRefusals = (await at.value("FIC201.SP")).value;
    found.notified = await notified(at, "AIC102.PV");

    const lost = new Promise((done) => at.client.once("connection_lost", done));
    console.log(JSON.stringify({ ready: true })); // whoever started us may now kill the plant
    await Promise.race([lost, sleep(20000)]);
    at.client.disconnect().catch(() => undefined); // a lost one is let go, as our own client does
    const again = await patiently(() => open(certificates), 40);
    found.after = await again.value("AIC102.PV");
    found.notifiedAfter = await notified(again, "AIC102.PV");
    console.log(JSON.stringify(found));
}

main().then(() => process.exit(0), (fault) => {
    console.error(fault);
    process.exit(1);
});
