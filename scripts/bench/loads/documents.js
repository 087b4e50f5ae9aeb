// What a web service does: documents are parsed, changed, hashed, sent on.
const crypto = require('crypto');

const orders = new Map();
let bytes = 0;
for (let i = 0; i < Number(process.argv[2]); i++) {
	const body = Buffer.from(JSON.stringify({
		id: i, user: `user-${i % 5000}`, items: Array.from(
			{ length: 12 }, (_, k) => ({ sku: `s${k * i}`, n: k })),
	}));
	const order = JSON.parse(body.toString());
	order.hash = crypto.createHash('sha256').update(body).digest('hex');
	orders.set(order.user, order);
	bytes += body.length;
}
console.log(orders.size, bytes);
