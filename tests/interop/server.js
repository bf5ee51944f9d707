// A plant served by node-opcua: the tags of a JSON file, in a folder of its own for certificates.
// usage: node server.js PORT TAGS.json FOLDER
"use strict";
const fs = require("fs");
const path = require("path");
const { OPCUAServer } = require("node-opcua-server");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { DataType, MessageSecurityMode, SecurityPolicy, StatusCodes, Variant } = require("node-opcua-client");

const [port, tagFile, folder] = process.argv.slice(2);
const tags = JSON.parse(fs.readFileSync(tagFile, "utf8"));

// What a JSON value is in OPC UA.
function variantOf(tag, value) {
    return new Variant({ dataType: DataType[tag.type], value: tag.type === "DateTime" ? new Date(value) : value });
}

// One variable; an analog one has unit and range, and node-opcua itself refuses what is out of range.
function add(namespace, parent, tag) {
    const common = {
        componentOf: parent,
        browseName: tag.node,
        nodeId: `s=${tag.node}`,
        dataType: tag.type,
        accessLevel: tag.writable ? "CurrentRead | CurrentWrite" : "CurrentRead",
        userAccessLevel: tag.writable ? "CurrentRead | CurrentWrite" : "CurrentRead",
    };
    const range = { low: tag.low, high: tag.high };
    const node = tag.unit
        ? namespace.addAnalogDataItem({
              ...common,
              engineeringUnitsRange: range,
              instrumentRange: range,
              engineeringUnits: { namespaceUri: "urn:units", unitId: -1, displayName: tag.unit, description: tag.unit },
              value: variantOf(tag, tag.value),
          })
        : namespace.addVariable({ ...common, value: variantOf(tag, tag.value) });
    return node;
}

async function main() {
    const certificates = new OPCUACertificateManager({
        rootFolder: path.join(folder, "pki"),
        automaticallyAcceptUnknownCertificate: true,
    });
    await certificates.initialize();
    const server = new OPCUAServer({
        port: Number(port),
        hostname: "127.0.0.1",
        resourcePath: "/neurotwin",
        serverCertificateManager: certificates,
        securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256],
        securityModes: [MessageSecurityMode.None, MessageSecurityMode.SignAndEncrypt],
        userManager: { isValidUser: (name, password) => name === "operator" && password === "right" },
        allowAnonymous: true,
    });
    await server.initialize();
    const namespace = server.engine.addressSpace.registerNamespace("urn:neurotwin:plant");
    const reactor = namespace.addObject({ organizedBy: server.engine.addressSpace.rootFolder.objects, browseName: "R1" });
    const nodes = tags.map((tag) => [tag, add(namespace, reactor, tag)]);
    const online = nodes.filter(([tag]) => tag.moves);
    // Process time goes on: every on-line value is published anew, a little different each time.
    setInterval(() => {
        for (const [tag, node] of online) {
            const jitter = 1 + 1e-6 * Math.random();
            node.setValueFromSource(variantOf(tag, tag.value * jitter), StatusCodes.Good, new Date());
        }
    }, 100);
    await server.start();
    console.log("ready");
}

main().catch((fault) => {
    console.error(fault);
    process.exit(1);
});
