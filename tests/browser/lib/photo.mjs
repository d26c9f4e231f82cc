// A picture of grey points, 8 × 8, made by Pillow.
const GREY =
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBk" +
  "eFxlZ2P/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAABv/EABwQAAEDBQAAAAAAAAAAAAAAAAESEzVBYoHR8P/aAAgBAQAAPwA3GXKw3snqf//Z";

/** A photo as a file that a person chooses. */
export const PHOTO = { name: "kega.jpg", mimeType: "image/jpeg", buffer: Buffer.from(GREY, "base64") };
