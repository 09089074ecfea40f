const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== undefined && child !== null));
  return node;
}

/** An HTML element with attributes and children; texts are always texts. */
export function html(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

export function byId(id) {
  return document.getElementById(id);
}

/** Changes a text only when it is new, so that nothing is announced or painted twice. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export const number = new Intl.NumberFormat("en");

/** One slice of a pie of radius 1, from one share of the whole to another. */
export function slicePath(radius, from, to) {
  if (to - from >= 0.9999) {
    return `M0,${-radius}A${radius},${radius} 0 1 1 0,${radius}A${radius},${radius} 0 1 1 0,${-radius}Z`;
  }
  const at = (share) => {
    const angle = share * 2 * Math.PI - Math.PI / 2;
    return `${(radius * Math.cos(angle)).toFixed(2)},${(radius * Math.sin(angle)).toFixed(2)}`;
  };
  return `M0,0L${at(from)}A${radius},${radius} 0 ${to - from > 0.5 ? 1 : 0} 1 ${at(to)}Z`;
}
